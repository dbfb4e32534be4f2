import { expect } from 'chai'
import { retryAfterMs } from './retry-after.ts'

const NOW = new Date('1994-11-06T08:49:30Z')
const IN_7_S = 'Sun, 06 Nov 1994 08:49:37 GMT'

describe('retryAfterMs', () => {
  it('reads whole seconds', () => {
    expect(retryAfterMs('7', undefined, NOW)).to.equal(7000)
    expect(retryAfterMs(' 120 ', undefined, NOW)).to.equal(120_000)
  })

  for (const form of [IN_7_S, 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])
    it(`reads the date ${form}`, () => {
      expect(retryAfterMs(form, undefined, NOW)).to.equal(7000)
    })

  it("counts a date from the receiver's own clock", () => {
    expect(retryAfterMs(IN_7_S, 'Sun, 06 Nov 1994 08:49:35 GMT', NOW)).to.equal(2000)
    expect(retryAfterMs('7', 'Sun, 06 Nov 1994 08:49:35 GMT', NOW)).to.equal(7000)
    expect(retryAfterMs(IN_7_S, 'yesterday', NOW)).to.equal(7000)
  })

  it('takes nothing from what is missing, unreadable or past', () => {
    const past = 'Sun, 06 Nov 1994 08:49:29 GMT'
    for (const text of [undefined, '', '0', '-3', '7.5', '0x10', '1e3', 'soon', '1994-11-06T08:49:37Z', past])
      expect(retryAfterMs(text, undefined, NOW), text).to.equal(undefined)
  })
})
