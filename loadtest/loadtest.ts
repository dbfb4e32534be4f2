// `make loadtest` and `make loadtest-full`: trials against clusters of their own, a dated page in results/. With a
// scenario: Artillery against a running service.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { awaitCalm } from './measure/disturbance.ts'
import { describeMachine } from './measure/machine.ts'
import { drawLines } from './report/line-chart.ts'
import { renderRun, renderTargets } from './report/loadtest-page.ts'
import {
  type RunRecord,
  readEarlierRuns,
  readRun,
  recordOf,
  resultsFile,
  runName,
  writeRun,
} from './report/run-record.ts'
import { findTarget } from './scenario-target.ts'
import { mustBeScenario, runScenario } from './scenarios.ts'
import { TRIALS } from './trials/all.ts'
import { type Outcome, type Profile, runTrial, type Trial } from './trials/trial.ts'

/** What others do to the figures is shown; for a quiet moment before each trial they are waited for so long. */
const CALM_MS = 5_000

const { values } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    trials: { type: 'string', default: '' },
    scenario: { type: 'string', default: '' },
    url: { type: 'string', default: '' },
  },
})

if (process.platform !== 'linux') {
  console.error('The load test reads the CPU time of other processes from /proc: it runs on Linux.')
  process.exit(1)
}
const startedAt = Date.now()
const ending = new AbortController()
// Ctrl-C once ends the trial under way and stops its cluster; twice ends at once.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    if (ending.signal.aborted) process.exit(130)
    ending.abort(new Error(`ended by ${signal}`))
  })

try {
  if (values.scenario === '') await run(values.full ? 'full' : 'short')
  else await scenario(values.scenario, values.url)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = ending.signal.aborted ? 130 : 1
}
// Stacks of WebRTC keep timers that nobody waits for.
process.exit()

async function run(profile: Profile): Promise<void> {
  const chosen = choose(values.trials)
  const machine = await describeMachine()
  say(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, Redis ${machine.redis}, commit ${machine.commit}`)
  const date = new Date().toISOString().slice(0, 10)
  const parts = values.trials === '' ? '' : ` trials=${values.trials}`
  const command = `make loadtest${profile === 'full' ? '-full' : ''}${parts}`
  // Parts of a run come together on one page, also those of another process: a trial that is run again replaces itself.
  const recorded = (): RunRecord => readRun({ date, profile }) ?? { date, profile, machine, trials: [] }
  for (const trial of chosen) {
    ending.signal.throwIfAborted()
    await awaitCalm(CALM_MS)
    say(`${trial.title}`)
    const trialAt = Date.now()
    const outcome = await runTrial(trial, profile, { say, signal: ending.signal }).catch((error: Error) => error)
    ending.signal.throwIfAborted()
    const seconds = (Date.now() - trialAt) / 1000
    report(outcome)
    const facts = { command, commit: machine.commit, at: new Date(trialAt).toISOString(), seconds }
    const record = recorded()
    const earlier = record.trials.find(({ name }) => name === trial.name)
    const trials = [...record.trials.filter((one) => one !== earlier), recordOf(trial, facts, outcome, earlier)]
    record.trials = TRIALS.flatMap(({ name }) => trials.filter((one) => one.name === name))
    write(record)
  }
  const record = recorded()
  const mine = record.trials.filter(({ name }) => chosen.some((trial) => trial.name === name))
  console.log(`\n${renderTargets(mine)}`)
  say(`written: loadtest/results/${runName(record)}.md`)
  if (mine.some(({ failure }) => failure !== undefined)) process.exitCode = 1
}

/** Against the cluster of `make up`, or a service at any URL whose secret is in JWT_SECRET. */
async function scenario(name: string, url: string): Promise<void> {
  mustBeScenario(name)
  const target = await findTarget(url, process.env, join(import.meta.dirname, '..', '.run'))
  const print = (line: string) => console.log(line)
  const { failed } = await runScenario(name, { ...target, print, signal: ending.signal })
  if (failed) process.exitCode = 1
}

function choose(names: string): Trial[] {
  // Artillery is not installed for a short run.
  if (names === '') return TRIALS.filter(({ name }) => values.full || name !== 'scenarios')
  return names.split(',').map((name) => {
    const found = TRIALS.find((trial) => trial.name === name)
    if (found === undefined)
      throw new Error(`There is no trial ${name}; there are ${TRIALS.map((t) => t.name).join(', ')}`)
    return found
  })
}

/** After each trial, so that a run that is cut short has left what it found. */
function write(record: RunRecord): void {
  writeRun(record)
  writeFileSync(resultsFile(`${runName(record)}.md`), renderRun(record, readEarlierRuns(record)))
  const caption = `${record.machine.cores} cores shared with the generator, ${record.date}`
  for (const { plots } of record.trials)
    for (const plot of plots)
      writeFileSync(resultsFile(`${runName(record)}-${plot.key}.svg`), drawLines({ caption, ...plot }))
}

function report(outcome: Outcome | Error): void {
  if (outcome instanceof Error) return say(`  failed: ${outcome.message}`)
  for (const { what, value, unit, digits = 1 } of outcome.figures) say(`  ${what}: ${value.toFixed(digits)}${unit}`)
  for (const note of outcome.notes ?? []) say(`  ${note}`)
}

function say(line: string): void {
  const seconds = Math.floor((Date.now() - startedAt) / 1000)
  console.log(`${String(Math.floor(seconds / 60)).padStart(2)}:${String(seconds % 60).padStart(2, '0')} ${line}`)
}
