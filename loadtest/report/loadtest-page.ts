// A load test as a page: machine, every figure against its target and the last run, shares of processes, plots.
import { type Figure, isReached, type Share } from '../trials/trial.ts'
import { type LastTrial, lastOf } from './last-run.ts'
import { type RunRecord, runName, type TrialRecord } from './run-record.ts'

/** Below this a process' share says nothing. */
const SHOWN_CORES = 0.005
/** So much in other hands spoils what a trial says of times. */
const DISTURBED_CORES = 0.25

/** The whole page. `before` are the runs of the same profile of earlier days. */
export function renderRun(run: RunRecord, before: RunRecord[]): string {
  const { machine, date, profile } = run
  return [
    `# Load test of ${date}${profile === 'full' ? '' : ', short'}`,
    '',
    `[How to read and repeat it](../../docs/performance.md#the-load-test).`,
    '',
    `Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, Linux ${machine.kernel}, Node ${machine.node}, Redis ${machine.redis}`,
    'without persistence.',
    'Servers, Redis, Postgres and the generator share it.',
    'Loopback, no TLS.',
    ...(run.trials.some((trial) => lastOf(trial, run, before)) ? [] : ['There is no earlier run to compare with.']),
    '',
    '## Targets',
    '',
    renderTargets(run.trials),
    '',
    ...run.trials.flatMap((trial) => renderTrial(trial, run, before)),
  ].join('\n')
}

/** The targets alone, also for a terminal. */
export function renderTargets(trials: TrialRecord[]): string {
  const rows = trials.flatMap(({ title, figures, failure }) => [
    ...(failure === undefined ? [] : [[title, '–', '', 'did not end']]),
    ...figures
      .filter(({ limit }) => limit !== undefined)
      .map((figure) => [
        `${title}: ${figure.what}`,
        shown(figure),
        target(figure),
        isReached(figure) ? 'yes' : '**no**',
      ]),
  ])
  return table(['', 'this run', 'target', 'reached'], rows)
}

function renderTrial(trial: TrialRecord, run: RunRecord, before: RunRecord[]): string[] {
  const last = lastOf(trial, run, before)
  const rows = trial.figures.map((figure) => {
    const earlier = last?.figures.find(({ what }) => what === figure.what)
    return [figure.what, shown(figure), target(figure), earlier === undefined ? '' : shown(earlier)]
  })
  return [
    `## ${trial.title}`,
    '',
    ...trial.about,
    '',
    `\`${trial.command}\` at commit ${trial.commit}, ${trial.at.slice(0, 16).replace('T', ' ')} UTC, ${trial.seconds.toFixed(0)} s.`,
    '',
    ...disturbance(trial.shares),
    ...(trial.failure === undefined ? [] : [`It did not end: ${trial.failure.split('\n')[0]}`, '']),
    ...(last === undefined ? [] : [describeLast(last, run), '']),
    ...(rows.length === 0 ? [] : [table(['', 'this run', 'target', 'last run'], rows), '']),
    ...trial.plots.flatMap(({ key, title }) => [`![${title}](${runName(run)}-${key}.svg)`, '']),
    ...(trial.notes.length === 0 ? [] : [...trial.notes, '']),
    ...renderShares(trial.shares),
  ]
}

/** A page is replaced within its day, so that only another day's can be linked. */
function describeLast({ date, commit, at }: LastTrial, { date: today, profile }: RunRecord): string {
  return date === today
    ? `The last run was at commit ${commit}, on the same day at ${at.slice(11, 16)} UTC.`
    : `The last run was at commit ${commit}, on [${date}](${runName({ date, profile })}.md).`
}

/** A trial beside somebody else's work measures both. */
function disturbance(shares: Share[]): string[] {
  const cores = Math.max(0, ...shares.filter(({ process }) => process === 'others').map((share) => share.cores))
  if (cores < DISTURBED_CORES) return []
  return [`**Other programs used up to ${cores.toFixed(1)} cores meanwhile: times are not to be quoted.**`, '']
}

/** Processes by line, parts of the trial by column. */
function renderShares(shares: Share[]): string[] {
  if (shares.length === 0) return []
  const parts = [...new Set(shares.map(({ during = 'cores' }) => during))]
  const names = [...new Set(shares.filter(({ cores }) => cores >= SHOWN_CORES).map(({ process }) => process))]
  const of = (name: string, part: string) =>
    shares.find(({ process, during = 'cores' }) => process === name && during === part)?.cores ?? 0
  const rows = names.map((name) => [name, ...parts.map((part) => of(name, part).toFixed(2))])
  rows.push(['all', ...parts.map((part) => names.reduce((sum, name) => sum + of(name, part), 0).toFixed(2))])
  return [table(['process, in cores', ...parts], rows), '']
}

/** JSON knows no NaN: a figure that was not measured is null in a record. */
function shown({ value, unit, digits = 1 }: Figure): string {
  return !Number.isFinite(value)
    ? '–'
    : `${value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })}${unit}`
}

function target(figure: Figure): string {
  const { limit, atLeast } = figure
  return limit === undefined ? '' : `${atLeast ? '≥' : '≤'} ${shown({ ...figure, value: limit })}`
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
