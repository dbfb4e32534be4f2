// `make test`: build, lint and types, the client's and the page's too, each one check, then every test. A test that
// fails is run once more by itself: if it passes then, it is flaky. The last lines name failures and count everything.
// Given files or --grep, it runs those tests alone.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, relative, resolve, sep } from 'node:path'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { missingCapabilities } from './capabilities.ts'
import { formatCounts, isGood } from './counts.ts'
import type { FileResult } from './file-result.ts'
import { runInLanes, type TestJob } from './lanes.ts'
import {
  countTests,
  describeFailures,
  describeFlaky,
  describeSlowest,
  type Failure,
  isFlaky,
  type Outcome,
  type Report,
} from './outcome.ts'
import { findTestFiles, planTests, type Unit } from './test-plan.ts'

const root = resolve(import.meta.dirname, '../..')
const ci = process.env.CI === 'true'
const strict = process.env.STRICT === '1'
/** Where report.json, flaky.txt and the durations for the next run are written. */
const reportDir = resolve(root, process.env.TEST_REPORT_DIR ?? '.run/tests')
const durationsFile = join(root, 'dev/test/durations.json')
/** Tests wait about as long as they compute: two lanes more than cores keep these busy. */
const lanes = Number(process.env.LANES) || Math.min(4, availableParallelism() + 2)

/** One command as one check; what it prints is shown as a whole when it is over. */
async function check(name: string, command: string, args: string[]): Promise<FileResult> {
  const startedAt = Date.now()
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'close') as Promise<[number | null]>
  const [printed, complained, [status]] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  const durationMs = Date.now() - startedAt
  console.log(`${printed}${complained}${status === 0 ? '✔' : '✘'} ${name} (${(durationMs / 1000).toFixed(1)} s)`)
  const message = `exit code ${status}; what it printed stands above`
  const error = status === 0 ? {} : { error: { message, stack: message } }
  const test = { title: name, state: status === 0 ? 'passed' : 'failed', durationMs, pattern: '', ...error } as const
  return { file: 'check', durationMs, tests: [test] }
}

const bin = (name: string) => join(root, 'node_modules', name)

async function staticChecks(): Promise<FileResult[]> {
  const types = (...args: string[]) => [bin('typescript/bin/tsc'), '--noEmit', ...args]
  // Both legs of continuous integration run what it has built before: neither may take it away from the other.
  const built = process.env.BUILT === 'true' ? [] : [await check('build', process.execPath, ['dev/build.mjs'])]
  const others = await Promise.all([
    check('lint and format', process.execPath, [bin('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', '.']),
    check('types', process.execPath, types()),
    check('types of the client', process.execPath, types('-p', 'client')),
    check('types of the page', process.execPath, types('-p', 'web')),
  ])
  return [...built, ...others]
}

async function runTests(files: string[], grep: string | undefined): Promise<FileResult[]> {
  const { together, alone } = planTests(root, files, readDurations())
  const toJobs = (units: Unit[]): TestJob[][] =>
    units.map((unit) => unit.map((file) => (grep === undefined ? { file } : { file, grep })))
  const total = files.length
  let done = 0
  const onFile = ({ file, durationMs, tests }: FileResult, output: string) => {
    done++
    const failed = tests.filter(({ state }) => state === 'failed').length
    // With --grep most files have nothing to say.
    if (tests.length === 0) return
    console.log(
      `\n── ${file} (${done} of ${total}, ${(durationMs / 1000).toFixed(1)} s${failed ? `, ${failed} failed` : ''})`,
    )
    console.log(output.trimEnd())
  }
  return [
    ...(await runInLanes(toJobs(together), { lanes, onFile })),
    ...(await runInLanes(toJobs(alone), { lanes: 1, onFile })),
  ]
}

/** Failed tests that are run again: where more fail, something else is wrong than a test's timing. */
const MOST_SECOND_TRIES = 20

/** Runs each failed test once more, with nothing beside it. */
async function tryAgain(files: readonly FileResult[]): Promise<Failure[]> {
  const failures: Failure[] = files.flatMap(({ file, tests }) =>
    tests.filter(({ state }) => state === 'failed').map((test) => ({ file, test })),
  )
  if (failures.length > MOST_SECOND_TRIES) return failures
  for (const failure of failures) {
    const { file, test } = failure
    // Checks and crashes are no matter of timing.
    if (test.pattern === '') continue
    console.log(`\n── once more, by itself: ${file}: ${test.title}`)
    let output = ''
    const onFile = (_result: FileResult, text: string) => {
      output += text
    }
    const results = await runInLanes([[{ file, grep: test.pattern }]], { lanes: 1, onFile })
    console.log(output.trimEnd())
    const again = results.flatMap(({ tests }) => tests)
    failure.again = { passed: again.length > 0 && again.every(({ state }) => state === 'passed'), output }
  }
  for (const failure of failures) judgeByCauses(failure, failures)
  return failures
}

/** A process that did not end after failed tests: each ran again in a process of its own, whose end counts as well. */
function judgeByCauses(failure: Failure, failures: readonly Failure[]): void {
  const { follows } = failure.test
  if (follows === undefined) return
  const causes = failures.filter(({ file, test }) =>
    follows.some((each) => each.file === file && each.title === test.title),
  )
  const names = causes.map(({ file, test }) => `${file}: ${test.title}`)
  const output = `After failures in the same process, each of which ended well when it ran again:\n${names.join('\n')}`
  failure.again = { passed: causes.length > 0 && causes.every(isFlaky), output }
}

function readDurations(): Record<string, number> {
  try {
    return JSON.parse(readFileSync(durationsFile, 'utf8')) as Record<string, number>
  } catch {
    return {}
  }
}

/** For machines, and for readers of a log that was cut. */
function writeReport(report: Report): void {
  mkdirSync(reportDir, { recursive: true })
  writeFileSync(join(reportDir, 'report.json'), `${JSON.stringify(report, null, 2)}\n`)
  writeFileSync(join(reportDir, 'flaky.txt'), describeFlaky(report))
  const durations = report.files.filter(({ file }) => file.endsWith('.ts')).map((each) => [each.file, each.durationMs])
  writeFileSync(join(reportDir, 'durations.json'), `${JSON.stringify(Object.fromEntries(durations.sort()), null, 2)}\n`)
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { grep: { type: 'string' } } })
const everything = positionals.length === 0 && values.grep === undefined
const startedAt = Date.now()
for (const line of missingCapabilities(root)) console.log(`! ${line}`)
const checks = everything ? await staticChecks() : []
const named = positionals.map((file) => relative(root, resolve(file)).split(sep).join('/'))
const tests = await runTests(named.length > 0 ? named : findTestFiles(root), values.grep)
const files = [...checks, ...tests]
const outcome: Outcome = { files, failures: await tryAgain(files) }
const counts = countTests(outcome, strict)
writeReport({ ...outcome, counts })
if (everything) console.log(`\n${describeSlowest(outcome)}`)
const flaky = describeFlaky(outcome)
if (flaky !== '') console.log(`\n${flaky}`)
const minutes = ((Date.now() - startedAt) / 60_000).toFixed(1)
console.log(`\n${minutes} minutes in ${lanes} lanes; details: ${relative(root, reportDir)}/report.json`)
for (const line of describeFailures(outcome)) console.log(line)
const ranNone = counts.passed + counts.failed + counts.skipped === 0
if (ranNone) console.error('No test has this title.')
const good = isGood(counts, ci) && !ranNone
if (!good && counts.failed === 0 && !ranNone) console.error('A skipped test fails the run where CI=true.')
process.exitCode = good ? 0 : 1
console.log(formatCounts(counts))
