// The counts of a run of checks and tests, and the closing line that states them.

export interface Counts {
  passed: number
  failed: number
  skipped: number
}

/** The closing line, which machines read too: `12 passed, 1 failed`, with `, 2 skipped` only where some were. */
export function formatCounts({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

export function addCounts(a: Counts, b: Counts): Counts {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }
}

/** A skipped test proves nothing, so where nobody watches (`CI=true`) it fails the run. */
export function isGood({ failed, skipped }: Counts, ci: boolean): boolean {
  return failed === 0 && (skipped === 0 || !ci)
}
