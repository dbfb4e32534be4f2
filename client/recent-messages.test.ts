import { expect } from 'chai'
import { RecentMessages } from './recent-messages.ts'

const candidate = (facts: object) =>
  ({ type: 'candidate', call_id: 'c', from: 'a', to: 'b', candidate: '', ...facts }) as const

describe('what came lately', () => {
  it('knows a repetition by its id, and one without an id by its place', () => {
    const recent = new RecentMessages()

    expect([{ id: 1 }, { id: '1' }, { id: 1, seq: 'x' }].map((facts) => recent.isNew(candidate(facts)))).to.deep.equal([
      true,
      true,
      false,
    ])
    expect([{ seq: 's-1' }, { seq: 's-1' }, {}, {}].map((facts) => recent.isNew(candidate(facts)))).to.deep.equal([
      true,
      false,
      true,
      true,
    ])
  })

  it('forgets the oldest beyond what the service remembers', () => {
    const recent = new RecentMessages()
    for (let id = 0; id <= 512; id += 1) recent.isNew(candidate({ id }))

    expect(recent.isNew(candidate({ id: 1 }))).to.equal(false)
    expect(recent.isNew(candidate({ id: 0 }))).to.equal(true)
  })
})
