import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { lastOf } from '../../loadtest/report/last-run.ts'
import {
  type RunRecord,
  readEarlierRuns,
  recordOf,
  runName,
  type TrialRecord,
} from '../../loadtest/report/run-record.ts'
import type { Outcome, Profile, Trial } from '../../loadtest/trials/trial.ts'

describe('what a trial is compared with', () => {
  const outcome = (value: number): Outcome => ({ figures: [{ what: 'p99', value, unit: ' ms' }] })

  function trial(commit: string, result: Outcome | Error, { name = 'held', earlier }: Partial<TrialOptions> = {}) {
    const facts = { command: 'make loadtest', commit, at: '2026-11-25T10:00:00Z', seconds: 5 }
    const described: Pick<Trial, 'name' | 'title' | 'about'> = { name, title: name, about: [] }
    return recordOf(described as Trial, facts, result, earlier)
  }

  interface TrialOptions {
    name: string
    earlier: TrialRecord
  }

  const run = (date: string, ...trials: TrialRecord[]): RunRecord =>
    ({ date, profile: 'short', trials }) as Partial<RunRecord> as RunRecord

  it('is the nearest earlier day, in whatever order the records come', () => {
    const mine = trial('new', outcome(1))
    const before = ['2026-11-02', '2026-11-24', '2026-09-30'].map((date) => run(date, trial(date, outcome(2))))

    expect(lastOf(mine, run('2026-11-25', mine), before)).to.include({ date: '2026-11-24', commit: '2026-11-24' })
  })

  it('is the one of the same day that it replaced, before any other', () => {
    const mine = trial('new', outcome(1), { earlier: trial('noon', outcome(2)) })
    const last = lastOf(mine, run('2026-11-25', mine), [run('2026-11-24', trial('old', outcome(3)))])

    expect(last).to.deep.include({ date: '2026-11-25', commit: 'noon', figures: outcome(2).figures })
  })

  it('is never a trial that failed', () => {
    const failed = trial('noon', new Error('it took too long'), { earlier: trial('morning', outcome(2)) })
    const second = trial('new', outcome(1), { earlier: failed })
    const alone = trial('new', outcome(1), { earlier: trial('noon', new Error('it took too long')) })
    const before = [run('2026-11-23', trial('old', outcome(3))), run('2026-11-24', trial('worse', new Error('no')))]

    expect(lastOf(second, run('2026-11-25', second), before)).to.include({ date: '2026-11-25', commit: 'morning' })
    expect(lastOf(alone, run('2026-11-25', alone), before)).to.include({ date: '2026-11-23', commit: 'old' })
    const yesterday = [run('2026-11-24', failed)]
    expect(lastOf(alone, run('2026-11-25', alone), yesterday)).to.include({ date: '2026-11-24', commit: 'morning' })
  })

  it('is found behind a day on which other trials alone were run', () => {
    const mine = trial('new', outcome(1))
    const before = [
      run('2026-11-23', trial('old', outcome(3))),
      run('2026-11-24', trial('part', outcome(2), { name: 'storm' })),
    ]

    expect(lastOf(mine, run('2026-11-25', mine), before)).to.include({ date: '2026-11-23', commit: 'old' })
    expect(lastOf(mine, run('2026-11-25', mine), before.slice(1))).to.equal(undefined)
  })

  it('is of the same profile and of a day before', () => {
    const place = mkdtempSync(join(tmpdir(), 'tchat-calling-results-'))
    try {
      const kept: [string, Profile][] = [
        ['2026-11-23', 'short'],
        ['2026-11-24', 'full'],
        ['2026-11-25', 'short'],
        ['2026-11-26', 'short'],
      ]
      for (const [date, profile] of kept)
        writeFileSync(join(place, `${runName({ date, profile })}.json`), JSON.stringify({ ...run(date), profile }))
      writeFileSync(join(place, '2026-11-24-bench.json'), '{}')
      const found = (date: string, profile: Profile) =>
        readEarlierRuns({ date, profile }, place).map((one) => `${one.date} ${one.profile}`)

      expect(found('2026-11-25', 'short')).to.deep.equal(['2026-11-23 short'])
      expect(found('2026-11-25', 'full')).to.deep.equal(['2026-11-24 full'])
      expect(found('2026-11-23', 'short')).to.deep.equal([])
    } finally {
      rmSync(place, { recursive: true })
    }
  })
})
