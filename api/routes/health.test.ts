import { expect } from 'chai'
import { formatUptime } from './health.ts'

describe('formatUptime', () => {
  const cases: [number, string][] = [
    [0, '0s'],
    [59.9, '59s'],
    [60, '1m0s'],
    [3599, '59m59s'],
    [3600, '1h0m0s'],
    [9015, '2h30m15s'],
    [360_000, '100h0m0s'],
  ]
  for (const [seconds, text] of cases) {
    it(`${seconds} s is ${text}`, () => {
      expect(formatUptime(seconds)).to.equal(text)
    })
  }
})
