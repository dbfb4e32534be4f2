import { expect } from 'chai'
import { ago, clock, dayOf, duration, timeOfDay } from './time.ts'

describe('times of the page', () => {
  it('are a clock while a call lasts', () => {
    expect([0, 7.9, 65, 3599, 3723, -3].map(clock)).to.deep.equal(['0:00', '0:07', '1:05', '59:59', '1:02:03', '0:00'])
  })

  it('are words once it is over', () => {
    expect([0, 59, 60, 90, 3600, 3720, 86_400].map(duration)).to.deep.equal([
      '0 s',
      '59 s',
      '1 min',
      '1 min 30 s',
      '1 h',
      '1 h 2 min',
      '24 h',
    ])
  })

  it('are rough for when somebody was seen', () => {
    const now = Date.parse('2024-03-10T12:00:00Z')
    const cases = { 'just now': 59_000, '1 min ago': 60_000, '2 h ago': 7_300_000, yesterday: 90_000_000 }
    for (const [words, ms] of Object.entries(cases)) expect(ago(now - ms, now)).to.equal(words)
    expect(ago(now - 3 * 86_400_000, now)).to.equal('3 days ago')
    expect(ago(now + 5_000, now), 'a clock that is behind').to.equal('just now')
  })

  it('have a day of the calendar, whatever the hour', () => {
    const now = new Date(2024, 2, 10, 0, 5)
    expect(dayOf(new Date(2024, 2, 10, 0, 1), now)).to.equal('Today')
    expect(dayOf(new Date(2024, 2, 9, 23, 59), now)).to.equal('Yesterday')
    expect(dayOf(new Date(2024, 2, 1), now, 'en-GB')).to.match(/^Fri,? 1 March$/)
    expect(dayOf(new Date(2023, 11, 31), now, 'en-GB')).to.match(/2023$/)
    expect(timeOfDay(new Date(2024, 2, 10, 14, 5), 'en-GB')).to.equal('14:05')
  })
})
