// What a run of checks and tests came to, and the one line that says it.

export interface Counts {
  passed: number
  failed: number
  skipped: number
}

/** The closing line, which machines read too: `12 passed, 1 failed`, with `, 2 skipped` only where some were. */
export function formatCounts({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

/** Reads back {@link formatCounts}; `undefined` for any other line. */
export function parseCounts(line: string): Counts | undefined {
  const match = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/.exec(line.trim())
  return match ? { passed: Number(match[1]), failed: Number(match[2]), skipped: Number(match[3] ?? 0) } : undefined
}

export function addCounts(a: Counts, b: Counts): Counts {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }
}

/** A skipped test proves nothing, so where nobody watches (`CI=true`) it fails the run. */
export function isGood({ failed, skipped }: Counts, ci: boolean): boolean {
  return failed === 0 && (skipped === 0 || !ci)
}

/** Mocha's report of what failed stands between its count of failures and the closing line. */
export class FailureReport {
  readonly #limit: number
  #lines: string[] = []
  #open = false

  constructor(limit = 150) {
    this.#limit = limit
  }

  /** Takes a run's output, line by line; failed checks (`✘ types (2.1 s)`) belong to it. */
  add(line: string): void {
    if (/^\s*(?:\S+\[\d+m)*\s*\d+ failing/.test(line)) this.#open = true
    else if (parseCounts(line)) this.#open = false
    if (this.#open || line.startsWith('✘ ')) this.#lines.push(line)
  }

  /** The report's lines up to the limit; empty where nothing failed. */
  get text(): string {
    return this.#lines.slice(0, this.#limit).join('\n').trimEnd()
  }
}
