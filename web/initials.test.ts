import { expect } from 'chai'
import { hueOf, initialsOf } from './initials.ts'

describe('initials', () => {
  it('are of the first and the last word', () => {
    const cases = {
      Ada: 'A',
      'ada lovelace': 'AL',
      'Jan van der Meer': 'JM',
      'grace.hopper': 'GH',
      'Øystein Ås': 'ØÅ',
      '': '?',
    }
    for (const [name, initials] of Object.entries(cases)) expect(initialsOf(name)).to.equal(initials)
  })

  it('take what a reader sees as one letter', () => {
    expect(initialsOf('e\u0301mile')).to.equal('E\u0301')
    expect(initialsOf('👩‍🚀 Sally')).to.equal('👩‍🚀S')
  })

  it('have a colour that stays with the user', () => {
    const ids = ['6f9619ff-8b86-4d01-b42d-00cf4fc964ff', '3f2504e0-4f89-41d3-9a0c-0305e82c3301']

    expect(ids.map(hueOf)).to.deep.equal(ids.map(hueOf))
    expect(hueOf(ids[0] ?? '')).not.to.equal(hueOf(ids[1] ?? ''))
    for (const id of ids) expect(hueOf(id)).to.be.within(0, 359)
  })
})
