import { expect } from 'chai'
import { addCounts, formatCounts, isGood } from './counts.ts'

describe('formatCounts', () => {
  it('names skipped tests only where there are some', () => {
    expect(formatCounts({ passed: 12, failed: 1, skipped: 0 })).to.equal('12 passed, 1 failed')
    expect(formatCounts({ passed: 12, failed: 0, skipped: 2 })).to.equal('12 passed, 0 failed, 2 skipped')
  })
})

describe('addCounts', () => {
  it('adds each kind', () => {
    const sum = addCounts({ passed: 1, failed: 2, skipped: 3 }, { passed: 10, failed: 20, skipped: 30 })

    expect(sum).to.deep.equal({ passed: 11, failed: 22, skipped: 33 })
  })
})

describe('isGood', () => {
  it('fails on a failure, and in CI on a skip too', () => {
    expect(isGood({ passed: 1, failed: 0, skipped: 0 }, true)).to.equal(true)
    expect(isGood({ passed: 1, failed: 1, skipped: 0 }, false)).to.equal(false)
    expect(isGood({ passed: 1, failed: 0, skipped: 1 }, false)).to.equal(true)
    expect(isGood({ passed: 1, failed: 0, skipped: 1 }, true)).to.equal(false)
  })
})
