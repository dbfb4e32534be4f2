// The result of a test file, as a lane reports it. Plain data: it crosses a process boundary and is written to a file.

/** One test, or a hook that failed in the place of the tests that it was to prepare. */
export interface TestResult {
  /** Suites and test, as Mocha joins them. */
  title: string
  state: 'passed' | 'failed' | 'skipped'
  durationMs: number
  /** Only of a failure. */
  error?: { message: string; stack: string }
  /** Finds the test again: the title's own pattern, or its suite's where a hook failed. */
  pattern: string
  /** Of a process that did not end: the tests that had failed in it, and may have left open what kept it. */
  follows?: { file: string; title: string }[]
}

export interface FileResult {
  /** Relative to the checkout, with `/`. */
  file: string
  /** From loading to the end of the last hook. */
  durationMs: number
  /** Of the processes that it started and ended, and of its own; absent where the system does not tell. */
  cpuMs?: number
  tests: TestResult[]
}

/** From the run to a lane; a lane works on one file at a time. */
export type LaneOrder = { kind: 'run'; file: string; grep?: string } | { kind: 'end' }

/** From a lane to the run: it is up, or a file is over. */
export type LaneReport = { kind: 'ready' } | { kind: 'done'; result: FileResult }

/** A pattern that finds this title alone, or everything below it. */
export function patternFor(title: string, { below = false } = {}): string {
  return `^${title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}${below ? '' : '$'}`
}
