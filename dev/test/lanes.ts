// Test files in several processes at once. A lane takes the next file when it is done with one, so a slow file holds up
// its own lane only. What a file prints is shown as a whole when the file is over.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import type { FileResult, LaneOrder, LaneReport, TestResult } from './file-result.ts'

const root = resolve(import.meta.dirname, '../..')

/** A file that takes longer hangs: the longest one takes a tenth of it, at full length of its trials a third. */
const FILE_DEADLINE_MS = 30 * 60_000

export interface TestJob {
  file: string
  grep?: string
}

export interface LaneOptions {
  lanes: number
  env?: NodeJS.ProcessEnv
  /** Called as each file is over, with everything that it printed. */
  onFile(result: FileResult, output: string): void
}

/**
 * Runs every job once and returns their results in the order in which they were over. A unit of several jobs has a
 * process of its own, which ends with it: what its files share goes then.
 */
export async function runInLanes(units: readonly TestJob[][], options: LaneOptions): Promise<FileResult[]> {
  const results: FileResult[] = []
  const queue = units.map((unit) => [...unit])
  const take = (result: FileResult, output: string) => {
    results.push(result)
    options.onFile(result, output)
  }
  const lanes = Math.min(options.lanes, units.length)
  await Promise.all(Array.from({ length: lanes }, () => runLane(queue, options.env ?? process.env, take)))
  return results
}

/** Empties the queue with one process after the other: a process that dies takes the file that it was at with it. */
async function runLane(
  queue: TestJob[][],
  env: NodeJS.ProcessEnv,
  take: (result: FileResult, output: string) => void,
): Promise<void> {
  let rest: TestJob[] = []
  while (rest.length > 0 || queue.length > 0) {
    const whole = rest.length > 0 ? rest : isLarge(queue[0]) ? (queue.shift() ?? []) : undefined
    const nextOfMany = () => (isLarge(queue[0]) ? undefined : queue.shift()?.[0])
    const lane = new Lane(env)
    const done: FileResult[] = []
    const takeOne = (result: FileResult, output: string) => {
      done.push(result)
      take(result, output)
    }
    const last = await lane.work(whole === undefined ? nextOfMany : () => whole.shift(), takeOne)
    const end = await lane.ended()
    rest = whole ?? []
    if (end !== undefined || last !== undefined) {
      const output = lane.takeOutput()
      take(badEnd(end ?? 'exit code 0', last, done, output), output)
    }
  }
}

/**
 * The failure of a process that died in a file, or did not end after its last one. A failed test may have left open the
 * resource that keeps the process: the failure names these tests, and their second tries decide.
 */
function badEnd(end: string, last: TestJob | undefined, done: FileResult[], output: string): FileResult {
  const file = last?.file ?? `end of a process after ${done.at(-1)?.file ?? 'no file'}`
  const lastLine = output.trimEnd().split('\n').at(-1) ?? ''
  const message = `The test process did not end properly (${end})${lastLine === '' ? '' : `: ${lastLine}`}`
  const failed = done.flatMap(({ file, tests }) =>
    tests.filter(({ state }) => state === 'failed').map(({ title }) => ({ file, title })),
  )
  const error = { message, stack: message }
  const test: TestResult = { title: file, state: 'failed', durationMs: 0, error, pattern: '' }
  if (last === undefined && failed.length > 0) test.follows = failed
  return { file, durationMs: 0, tests: [test] }
}

function isLarge(unit: TestJob[] | undefined): boolean {
  return (unit?.length ?? 0) > 1
}

class Lane {
  readonly #child: ChildProcess
  readonly #exited: Promise<string | undefined>
  #output: string[] = []

  constructor(env: NodeJS.ProcessEnv) {
    this.#child = spawn(process.execPath, ['--import', 'tsx', 'dev/test/lane.ts'], {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#output.push(text))
    }
    this.#exited = once(this.#child, 'close').then(([code, signal]: (number | string | null)[]) =>
      code === 0 ? undefined : String(signal ?? `exit code ${code}`),
    )
    running.add(this.#child)
    this.#child.once('exit', () => running.delete(this.#child))
  }

  /** What was printed since the last call. */
  takeOutput(): string {
    return this.#output.splice(0).join('')
  }

  /** Has the process run job after job. Returns the job during which it died, if it did. */
  async work(
    next: () => TestJob | undefined,
    take: (result: FileResult, output: string) => void,
  ): Promise<TestJob | undefined> {
    if ((await this.#report()) === undefined) return next()
    for (let job = next(); job !== undefined; job = next()) {
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), FILE_DEADLINE_MS)
      this.#order({ kind: 'run', ...job })
      const report = await this.#report()
      clearTimeout(timer)
      if (report?.kind !== 'done') return job
      take(report.result, this.takeOutput())
    }
    this.#order({ kind: 'end' })
    return undefined
  }

  /** How the process ended; `undefined` where it ended well. */
  ended(): Promise<string | undefined> {
    return this.#exited
  }

  #order(order: LaneOrder): void {
    this.#child.send(order, () => {})
  }

  /** The next report, or `undefined` where the process ends without one. */
  #report(): Promise<LaneReport | undefined> {
    return new Promise((done) => {
      const onMessage = (report: LaneReport) => {
        this.#child.off('exit', onExit)
        done(report)
      }
      const onExit = () => {
        this.#child.off('message', onMessage)
        done(undefined)
      }
      this.#child.once('message', onMessage)
      this.#child.once('exit', onExit)
    })
  }
}

/** Lanes of a run that is interrupted end with it, and their clusters with them. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGTERM')
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))
