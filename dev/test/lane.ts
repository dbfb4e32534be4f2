// A process that runs test files one after the other, as the run orders them over IPC. What files share (a cluster, a
// browser) is started once in each lane and ends with it; a process that does not end by itself then has a leak.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { relative, resolve, sep } from 'node:path'
import Mocha from 'mocha'
import { patient } from '../../test/support/patience.ts'
import { type FileResult, type LaneOrder, type LaneReport, patternFor, type TestResult } from './file-result.ts'

/** Closing sockets, pools and children after the last test takes a moment, even on a busy machine, but no more. */
const LEAK_DEADLINE_MS = 1000 * Number(process.env.TEST_LEAK_SECONDS ?? 30)
/** How long a test may take that does not say it, on a calm machine. */
const TEST_TIMEOUT_MS = 20_000

const root = resolve(import.meta.dirname, '../..')
// By the same way as Mocha loads tests: imported, it would be a second instance that knows nothing of their clusters.
const { mochaHooks } = createRequire(import.meta.url)(
  '../../test/support/hooks.ts',
) as typeof import('../../test/support/hooks.ts')

// Every timeout of a test, its own or inherited, is meant for a calm machine: it only bounds how long a failure takes.
const setTimeoutOf = Mocha.Runnable.prototype.timeout as (this: Mocha.Runnable, ms?: number | string) => unknown
Mocha.Runnable.prototype.timeout = function patientTimeout(this: Mocha.Runnable, ms?: number | string): never {
  return setTimeoutOf.apply(this, ms === undefined ? [] : [typeof ms === 'number' ? patient(ms) : ms]) as never
}

function tell(report: LaneReport): void {
  process.send?.(report)
}

/** Runs one file with a Mocha of its own; what it prints is the file's report. */
async function runFile(file: string, grep: string | undefined): Promise<FileResult> {
  const startedAt = Date.now()
  const cpuBefore = cpuMs()
  const mocha = new Mocha({
    timeout: TEST_TIMEOUT_MS,
    reporter: 'spec',
    rootHooks: { afterEach: mochaHooks.afterEach },
  })
  if (grep !== undefined) mocha.grep(new RegExp(grep))
  mocha.addFile(file)
  const tests: TestResult[] = []
  try {
    await mocha.loadFilesAsync()
    await new Promise<void>((done) =>
      collect(
        mocha.run(() => done()),
        tests,
      ),
    )
  } catch (error) {
    const title = `${nameOf(file)} loads`
    console.error(error)
    tests.push({ title, state: 'failed', durationMs: 0, error: describeError(error), pattern: '' })
  }
  const used = cpuMs()
  const cpu = used === undefined || cpuBefore === undefined ? {} : { cpuMs: used - cpuBefore }
  return { file: nameOf(file), durationMs: Date.now() - startedAt, ...cpu, tests }
}

/** A clock tick of Linux, as `/proc` counts: it is 10 ms on every architecture that Node runs on. */
const TICK_MS = 10

/** Processor time of this process and of all its children that have ended. */
function cpuMs(): number | undefined {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8')
    // utime, stime, cutime and cstime; the name before them may hold anything, blanks and brackets included.
    const ticks = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 15)
    return TICK_MS * ticks.reduce((sum, each) => sum + Number(each), 0)
  } catch {
    return undefined
  }
}

function collect(runner: Mocha.Runner, tests: TestResult[]): void {
  const add = (test: Mocha.Runnable, state: TestResult['state'], error?: unknown) => {
    const isHook = test instanceof Mocha.Hook
    // A hook's title names the test before which it failed; the suite is what finds it again.
    const pattern = isHook ? patternFor(test.parent?.fullTitle() ?? '', { below: true }) : patternFor(test.fullTitle())
    const result: TestResult = { title: test.fullTitle(), state, durationMs: test.duration ?? 0, pattern }
    tests.push(error === undefined ? result : { ...result, error: describeError(error) })
  }
  runner.on('pass', (test) => add(test, 'passed'))
  runner.on('pending', (test) => add(test, 'skipped'))
  runner.on('fail', (test, error) => add(test, 'failed', error))
}

function describeError(error: unknown): { message: string; stack: string } {
  if (!(error instanceof Error)) return { message: String(error), stack: String(error) }
  return { message: error.message, stack: error.stack ?? error.message }
}

function nameOf(file: string): string {
  return relative(root, file).split(sep).join('/')
}

/** Closes what files shared. From then on nothing may keep the process alive. */
async function end(): Promise<void> {
  await mochaHooks.afterAll()
  const timer = setTimeout(() => {
    console.error(`Something is still open ${LEAK_DEADLINE_MS / 1000} s after the last test: ${openResources()}`)
    process.exit(1)
  }, LEAK_DEADLINE_MS)
  // It fires only if something else keeps this process alive, which is what it looks for.
  timer.unref()
  process.disconnect()
}

/** What keeps the process alive, as Node names it: `3 × TCPSocketWrap, 1 × Timeout`. */
function openResources(): string {
  const counts = new Map<string, number>()
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts].map(([name, count]) => `${count} × ${name}`).join(', ')
}

// Children live in sessions of their own; they are ended as this process exits, which a bare signal would skip.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))

process.on('message', (order: LaneOrder) => {
  const work = order.kind === 'end' ? end() : runFile(resolve(root, order.file), order.grep).then(report)
  work.catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
})

function report(result: FileResult): void {
  tell({ kind: 'done', result })
}

tell({ kind: 'ready' })
