// The figures of a run as JSON beside its page: what the next run is compared with, and what a page of several parts is
// put together from.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Machine } from '../measure/machine.ts'
import type { Figure, Outcome, Profile, Share, Trial } from '../trials/trial.ts'
import type { LinePlot } from './line-chart.ts'

export interface TrialRecord {
  name: string
  title: string
  about: string[]
  command: string
  commit: string
  /** ISO 8601. */
  at: string
  seconds: number
  figures: Figure[]
  notes: string[]
  shares: Share[]
  plots: LinePlot[]
  /** Why there are no figures. */
  failure?: string
  /** The same trial when it last had figures on that day, whose place this one took. */
  earlier?: Pick<TrialRecord, 'commit' | 'at' | 'figures'>
}

export interface RunRecord {
  date: string
  profile: Profile
  machine: Machine
  trials: TrialRecord[]
}

const folder = join(import.meta.dirname, '..', 'results')

/** `2026-11-25-loadtest-full`: pages, records and plots of a run share it. */
export const runName = ({ date, profile }: Pick<RunRecord, 'date' | 'profile'>): string =>
  `${date}-loadtest${profile === 'full' ? '-full' : ''}`

export const resultsFile = (name: string): string => join(folder, name)

/** The same day's record of this profile, to which parts of a run are added; undefined where there is none. */
export function readRun(run: Pick<RunRecord, 'date' | 'profile'>): RunRecord | undefined {
  const file = resultsFile(`${runName(run)}.json`)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as RunRecord) : undefined
}

/** All records of this profile from days before. */
export function readEarlierRuns({ date, profile }: Pick<RunRecord, 'date' | 'profile'>, from = folder): RunRecord[] {
  const name = profile === 'full' ? /^\d{4}-\d\d-\d\d-loadtest-full\.json$/ : /^\d{4}-\d\d-\d\d-loadtest\.json$/
  return readdirSync(from)
    .filter((file) => name.test(file) && file.slice(0, 10) < date)
    .map((file) => JSON.parse(readFileSync(join(from, file), 'utf8')) as RunRecord)
}

export function writeRun(run: RunRecord): void {
  writeFileSync(resultsFile(`${runName(run)}.json`), `${JSON.stringify(run, null, 2)}\n`)
}

/** `earlier` is the trial of the same day that this one replaces. */
export function recordOf(
  { name, title, about }: Trial,
  facts: Pick<TrialRecord, 'command' | 'commit' | 'at' | 'seconds'>,
  outcome: Outcome | Error,
  earlier?: TrialRecord,
): TrialRecord {
  // One that failed has nothing to compare with; what came before it has.
  const kept = earlier !== undefined && earlier.figures.length === 0 ? earlier.earlier : earlier
  const before = kept && { earlier: { commit: kept.commit, at: kept.at, figures: kept.figures } }
  const empty = { name, title, about, ...facts, ...before, figures: [], notes: [], shares: [], plots: [] }
  return outcome instanceof Error ? { ...empty, failure: outcome.message } : { ...empty, ...outcome }
}
