// Artillery scenarios against a service at any URL: users with tokens of its key, thresholds that decide the exit code.
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { mintToken, type TokenKey } from '../dev/cluster/token-key.ts'
import type { Figure } from './trials/trial.ts'

const folder = join(import.meta.dirname, 'artillery')
const binary = join(folder, 'node_modules', 'artillery', 'bin', 'run')

/** More than any scenario has virtual users: each pair calls once, so that no limit of a user is in the way. */
const PAIRS = 2_000
/** A scenario takes a minute at most; Artillery itself some 20 s to start and to end. */
const DEADLINE_MS = 150_000
/** What is shown of a run that left no report. */
const LAST_LINES = 20
/** How long a call of the scenarios lasts that are disturbed meanwhile. */
const LIVE_SECONDS = '15'

export interface ScenarioRun {
  url: string
  key: TokenKey
  print: (line: string) => void
  signal?: AbortSignal
}

export interface ScenarioResult {
  /** The thresholds of the scenario, with what was measured. */
  figures: Figure[]
  failed: boolean
}

/** What can be run: the scenario files. */
export function listScenarios(): string[] {
  return readdirSync(folder).flatMap((file) => (file.endsWith('.yml') ? [file.slice(0, -4)] : []))
}

/** @throws with the names that there are, where this is none of them */
export function mustBeScenario(name: string): void {
  const names = listScenarios()
  if (!names.includes(name)) throw new Error(`There is no scenario ${name}; there are ${names.join(', ')}`)
}

/** Runs a scenario to its end. @throws where Artillery did not run it at all */
export async function runScenario(name: string, { url, key, print, signal }: ScenarioRun): Promise<ScenarioResult> {
  mustBeScenario(name)
  const script = join(folder, `${name}.yml`)
  if (!existsSync(binary)) throw new Error('Artillery is not installed: use "make loadtest scenario=…".')
  const place = mkdtempSync(join(tmpdir(), 'tchat-calling-artillery-'))
  try {
    const [users, output] = [join(place, 'users.csv'), join(place, 'report.json')]
    // For its owner alone: they are tokens.
    writeFileSync(users, madeUsers(key), { mode: 0o600 })
    const lines: string[] = []
    const keep = (line: string) => {
      lines.push(line)
      print(line)
    }
    const code = await runArtillery(['run', '--target', url, '--payload', users, '--output', output, script], {
      url,
      print: keep,
      signal,
    })
    if (!existsSync(output))
      throw new Error(`Artillery ended with ${code} and left no report:\n${lines.slice(-LAST_LINES).join('\n')}`)
    const report = JSON.parse(readFileSync(output, 'utf8')) as ArtilleryReport
    const figures = readFigures(script, report)
    // Artillery takes a threshold without a figure for missed, and does not say so: nobody deployed, say.
    for (const { what, value } of figures) if (Number.isNaN(value)) print(`nothing was measured: ${what}`)
    return { figures, failed: code !== 0 }
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

function madeUsers(key: TokenKey): string {
  const user = () => {
    const id = randomUUID()
    return `${id},${mintToken(key, { user: id })}`
  }
  return Array.from({ length: PAIRS }, () => `${user()},${user()}\n`).join('')
}

function runArtillery(
  args: string[],
  { url, print, signal }: Pick<ScenarioRun, 'url' | 'print' | 'signal'>,
): Promise<number | null> {
  const env = {
    ...process.env,
    TARGET: url,
    LIVE_SECONDS,
    ARTILLERY_DISABLE_TELEMETRY: 'true',
    // One thread: several would all take the same users.
    WORKERS: '1',
  }
  const late = AbortSignal.timeout(DEADLINE_MS)
  const child = spawn(process.execPath, [binary, ...args], {
    cwd: folder,
    env,
    signal: signal === undefined ? late : AbortSignal.any([signal, late]),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      for (const line of text.split('\n')) if (line.trim() !== '') print(line)
    })
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
}

interface ArtilleryReport {
  aggregate: { counters: Record<string, number>; summaries: Record<string, Record<string, number>> }
}

interface Script {
  config: { ensure?: { thresholds?: Record<string, number>[] } }
}

/** Each threshold of the script as a figure, and what tells whether anything went wrong. */
function readFigures(script: string, { aggregate }: ArtilleryReport): Figure[] {
  const { config } = parse(readFileSync(script, 'utf8')) as Script
  const thresholds = (config.ensure?.thresholds ?? []).flatMap((one) => Object.entries(one))
  const counter = (name: string) => aggregate.counters[name] ?? 0
  return [
    ...thresholds.map(([metric, limit]) => {
      const at = metric.lastIndexOf('.')
      const value = aggregate.summaries[metric.slice(0, at)]?.[metric.slice(at + 1)] ?? Number.NaN
      const what = metric.replace('plugins.metrics-by-endpoint.response_time.', '')
      return { what, value, unit: ' ms', limit }
    }),
    { what: 'virtual users', value: counter('vusers.created'), unit: '', digits: 0 },
    {
      what: 'virtual users or steps that failed',
      value: counter('vusers.failed') + counter('steps.failed'),
      unit: '',
      limit: 0,
      digits: 0,
    },
    { what: 'messages delivered twice', value: counter('signaling.doubled'), unit: '', limit: 0, digits: 0 },
  ]
}
