import { expect } from 'chai'
import type { TestResult } from './file-result.ts'
import { countTests, describeFailures, describeFlaky, describeSlowest, type Outcome } from './outcome.ts'

function result(title: string, state: TestResult['state'], durationMs = 1): TestResult {
  const error = state === 'failed' ? { error: { message: `${title}!\nmore`, stack: `at ${title}` } } : {}
  return { title, state, durationMs, pattern: title, ...error }
}

const slow = result('slow', 'failed', 2_000)
const broken = result('broken', 'failed')
const outcome: Outcome = {
  files: [
    { file: 'a.test.ts', durationMs: 2_500, tests: [slow, result('good', 'passed')] },
    { file: 'b.test.ts', durationMs: 100, tests: [broken, result('left out', 'skipped')] },
  ],
  failures: [
    { file: 'b.test.ts', test: broken, again: { passed: false, output: 'red again' } },
    { file: 'a.test.ts', test: slow, again: { passed: true, output: 'green now' } },
  ],
}

describe('countTests', () => {
  it('takes a flaky test for passed, or for failed where it is strict', () => {
    expect(countTests(outcome, false)).to.deep.equal({ passed: 2, failed: 1, skipped: 1 })
    expect(countTests(outcome, true)).to.deep.equal({ passed: 1, failed: 2, skipped: 1 })
  })
})

describe('describeFailures', () => {
  it('names file, title and the first line of the error, failures last', () => {
    expect(describeFailures(outcome)).to.deep.equal([
      'flaky a.test.ts: slow: slow!',
      'failed b.test.ts: broken: broken!',
    ])
  })
})

describe('describeFlaky', () => {
  it('has both tries of a flaky test, and nothing of a failed one', () => {
    expect(describeFlaky(outcome)).to.contain('at slow').and.to.contain('green now').and.not.to.contain('broken')
  })
})

describe('describeSlowest', () => {
  it('lists tests and files by how long they took', () => {
    const lines = describeSlowest(outcome).split('\n')

    expect(lines[1]).to.match(/ 2\.0 s {2}a\.test\.ts: slow$/)
    expect(lines.at(-2)).to.match(/ 2\.5 s {2}a\.test\.ts$/)
  })
})
