// The outcome of a run: each failure beside its second try, the counts, and the text at the end of the output.
import type { Counts } from './counts.ts'
import type { FileResult, TestResult } from './file-result.ts'

/** A test that failed, and what became of it when it ran once more by itself. */
export interface Failure {
  file: string
  test: TestResult
  /** `undefined` where it could not be run again. */
  again?: { passed: boolean; output: string }
}

/** Everything that a run found out. */
export interface Outcome {
  files: FileResult[]
  failures: Failure[]
}

/** report.json: what a run found out, and how it is judged. */
export interface Report extends Outcome {
  counts: Counts
}

const SLOWEST = 20

/** A failure that passed when it ran by itself. */
export function isFlaky({ again }: Failure): boolean {
  return again?.passed === true
}

/**
 * Counts each test once.
 * @param strict a flaky test counts as failed; else as passed
 */
export function countTests({ files, failures }: Outcome, strict: boolean): Counts {
  const states = files.flatMap(({ tests }) => tests.map(({ state }) => state))
  const flaky = strict ? 0 : failures.filter(isFlaky).length
  return {
    passed: states.filter((state) => state === 'passed').length + flaky,
    failed: states.filter((state) => state === 'failed').length - flaky,
    skipped: states.filter((state) => state === 'skipped').length,
  }
}

/** The twenty slowest tests and files, and the files that take the processor from the others. */
export function describeSlowest({ files }: Outcome): string {
  const tests = files.flatMap(({ file, tests }) => tests.map((test) => ({ name: `${file}: ${test.title}`, ...test })))
  const ofFiles = files.map(({ file, durationMs }) => ({ name: file, durationMs }))
  const busy = files.flatMap(({ file, cpuMs }) => (cpuMs === undefined ? [] : [{ name: file, durationMs: cpuMs }]))
  return [
    `The ${SLOWEST} slowest tests`,
    ...slowest(tests),
    `The ${SLOWEST} slowest files`,
    ...slowest(ofFiles),
    ...(busy.length === 0 ? [] : [`The ${SLOWEST} files that use most of the processor`, ...slowest(busy)]),
  ].join('\n')
}

function slowest(entries: { name: string; durationMs: number }[]): string[] {
  return [...entries]
    .sort((a, b) => b.durationMs - a.durationMs)
    .slice(0, SLOWEST)
    .map(({ name, durationMs }) => `${(durationMs / 1000).toFixed(1).padStart(7)} s  ${name}`)
}

/** Every failed and every flaky test with file, title and the first line of its error; empty where there is none. */
export function describeFailures({ failures }: Outcome): string[] {
  const line = (mark: string, { file, test }: Failure) =>
    `${mark} ${file}: ${test.title}: ${firstLine(test.error?.message ?? '')}`
  return [
    ...failures.filter(isFlaky).map((failure) => line('flaky', failure)),
    ...failures.filter((failure) => !isFlaky(failure)).map((failure) => line('failed', failure)),
  ]
}

/** Flaky tests with what both tries printed; empty where there is none. */
export function describeFlaky({ failures }: Outcome): string {
  return failures
    .filter(isFlaky)
    .map(({ file, test, again }) =>
      [
        `== flaky: ${file}: ${test.title}`,
        '-- first try',
        test.error?.stack ?? '',
        '-- second try, by itself: passed',
        again?.output.trim() ?? '',
      ].join('\n'),
    )
    .join('\n\n')
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
