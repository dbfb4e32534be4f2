import { expect } from 'chai'
import { renderRun } from '../../loadtest/report/loadtest-page.ts'
import { type RunRecord, recordOf, type TrialRecord } from '../../loadtest/report/run-record.ts'
import type { Figure, Trial } from '../../loadtest/trials/trial.ts'

const TRIAL: Trial = {
  name: 'held',
  title: 'Held',
  about: [],
  deadlineSeconds: { smoke: 1, short: 1, full: 1 },
} as never
const MACHINE = { cpu: 'a CPU', cores: 2, memoryGib: 24, kernel: '6', node: '20', redis: '7', commit: 'abc' }

describe('the page of a load test', () => {
  function trialWith(commit: string, value: number, earlier?: TrialRecord): TrialRecord {
    const figures: Figure[] = [{ what: 'p99', value, unit: ' ms', limit: 50 }]
    const facts = { command: 'make loadtest', commit, at: '2026-11-25T10:00:00Z', seconds: 5 }
    return recordOf(TRIAL, facts, { figures } as never, earlier)
  }

  function runOf(date: string, trial: TrialRecord): RunRecord {
    const whole = { notes: [], shares: [], plots: [] }
    return { date, profile: 'short', machine: MACHINE as never, trials: [{ ...trial, ...whole }] }
  }

  const rowOf = (page: string) =>
    page
      .split('\n')
      .filter((line) => line.startsWith('| p99'))
      .at(-1)

  it('compares with the run of an earlier day', () => {
    const page = renderRun(runOf('2026-11-26', trialWith('new', 40)), [runOf('2026-11-25', trialWith('old', 60))])

    expect(page).to.include('The last run was at commit old, on [2026-11-25](2026-11-25-loadtest.md).')
    expect(rowOf(page)).to.equal('| p99 | 40.0 ms | ≤ 50.0 ms | 60.0 ms |')
  })

  it('compares a trial with the one of the same day that it replaces', () => {
    const page = renderRun(runOf('2026-11-26', trialWith('new', 40, trialWith('noon', 70))), [
      runOf('2026-11-25', trialWith('old', 60)),
    ])

    expect(page).not.to.include('There is no earlier run')
    expect(page).to.include('The last run was at commit noon, on the same day at 10:00 UTC.')
    expect(rowOf(page)).to.equal('| p99 | 40.0 ms | ≤ 50.0 ms | 70.0 ms |')
  })

  it('says that there is nothing to compare with', () => {
    const page = renderRun(runOf('2026-11-26', trialWith('new', 60)), [])

    expect(page).to.include('There is no earlier run to compare with.')
    expect(rowOf(page)).to.equal('| p99 | 60.0 ms | ≤ 50.0 ms |  |')
    expect(page).to.include('| Held: p99 | 60.0 ms | ≤ 50.0 ms | **no** |')
  })
})
