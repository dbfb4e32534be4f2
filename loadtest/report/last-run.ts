// What a trial is compared with: the same trial when it last ended with figures, on the same day or on one before.
import type { RunRecord, TrialRecord } from './run-record.ts'

/** A trial's last figures before a run, and where they come from. */
export interface LastTrial extends Pick<TrialRecord, 'commit' | 'at' | 'figures'> {
  /** The day of the page that has or had it. */
  date: string
}

/**
 * The trial of this run as it ended last; undefined where it never did. A trial that failed has no figures and is passed
 * over, and so is a run that had other trials alone.
 * @param before records of the same profile of earlier days, in any order
 */
export function lastOf(trial: TrialRecord, run: RunRecord, before: RunRecord[]): LastTrial | undefined {
  if (hasFigures(trial.earlier)) return { ...trial.earlier, date: run.date }
  for (const { date, trials } of before.toSorted((a, b) => b.date.localeCompare(a.date))) {
    const same = trials.find(({ name }) => name === trial.name)
    const last = [same, same?.earlier].find(hasFigures)
    if (last !== undefined) return { commit: last.commit, at: last.at, figures: last.figures, date }
  }
  return undefined
}

type Measured = Pick<TrialRecord, 'commit' | 'at' | 'figures'>

function hasFigures(trial: Measured | undefined): trial is Measured {
  return trial !== undefined && trial.figures.length > 0
}
