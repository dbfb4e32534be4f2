import { expect } from 'chai'
import { addCounts, FailureReport, formatCounts, isGood, parseCounts } from './counts.ts'

describe('formatCounts', () => {
  it('names skipped tests only where there are some', () => {
    expect(formatCounts({ passed: 12, failed: 1, skipped: 0 })).to.equal('12 passed, 1 failed')
    expect(formatCounts({ passed: 12, failed: 0, skipped: 2 })).to.equal('12 passed, 0 failed, 2 skipped')
  })
})

describe('parseCounts', () => {
  it('reads back what formatCounts wrote, and nothing else', () => {
    const counts = { passed: 3, failed: 0, skipped: 4 }

    expect(parseCounts(formatCounts(counts))).to.deep.equal(counts)
    expect(parseCounts('3 passing')).to.equal(undefined)
    expect(parseCounts('it says 3 passed, 0 failed')).to.equal(undefined)
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

describe('FailureReport', () => {
  it('keeps what mocha says of failures, with and without colours, and failed checks', () => {
    for (const heading of ['  1 failing', '\u001b[31m  1 failing\u001b[0m']) {
      const report = new FailureReport()
      const output = [
        '✘ types (2.1 s)',
        '    ✔ adds',
        '  3 passing (1s)',
        heading,
        '',
        '  1) adds',
        '3 passed, 1 failed',
        'x',
      ]

      for (const line of output) report.add(line)

      expect(report.text).to.equal(['✘ types (2.1 s)', heading, '', '  1) adds'].join('\n'))
    }
  })

  it('is empty where nothing failed, and no longer than its limit', () => {
    const report = new FailureReport(2)
    for (const line of ['    ✔ refuses 1 failing part', '  3 passing (1s)']) report.add(line)
    expect(report.text).to.equal('')

    for (const line of ['  3 failing', 'a', 'b']) report.add(line)
    expect(report.text).to.equal('  3 failing\na')
  })
})
