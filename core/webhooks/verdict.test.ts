import { expect } from 'chai'
import { judge } from './verdict.ts'

const backoff = { backoffMs: 1000, backoffMaxMs: 60_000 }

describe('judge', () => {
  it('takes a delivery for done, and Gone for the end', () => {
    expect(judge({ outcome: 'delivered', status: 204 }, 7, backoff)).to.deep.equal({ kind: 'delivered' })
    expect(judge({ outcome: 'gone', status: 410 }, 1, backoff)).to.deep.equal({ kind: 'dead' })
  })

  it('waits twice as long each time, half of it by chance, up to the longest', () => {
    const delays = (random: number) =>
      [1, 2, 3, 7, 2000].map((attempt) => judge({ outcome: 'timeout' }, attempt, backoff, () => random))

    expect(delays(0)).to.deep.equal([500, 1000, 2000, 30_000, 30_000].map((delayMs) => ({ kind: 'retry', delayMs })))
    expect(delays(1)).to.deep.equal([1000, 2000, 4000, 60_000, 60_000].map((delayMs) => ({ kind: 'retry', delayMs })))
  })

  it('respects what the receiver asks for, within reason', () => {
    const asked = (retryAfterMs: number) =>
      judge({ outcome: 'rejected', status: 503, retryAfterMs }, 1, backoff, () => 1)

    expect(asked(5000)).to.deep.equal({ kind: 'retry', delayMs: 5000 })
    expect(asked(86_400_000)).to.deep.equal({ kind: 'retry', delayMs: 60_000 })
    expect(asked(1)).to.deep.equal({ kind: 'retry', delayMs: 1000 })
  })
})
