/** What becomes of a delivery after an attempt. Pure but for the dice. */
import type { AttemptResult, Verdict } from './delivery.ts'

export interface Backoff {
  backoffMs: number
  backoffMaxMs: number
}

/**
 * Delivered by any 2xx; given up at once by 410 (Gone), which says that nobody will ever want it; else repeated after a
 * time that doubles with each attempt, half of it by chance, so that what failed together does not come back together.
 * A receiver's `Retry-After` is respected up to the longest time between attempts.
 */
export function judge(
  result: AttemptResult,
  attempt: number,
  { backoffMs, backoffMaxMs }: Backoff,
  random: () => number = Math.random,
): Verdict {
  if (result.outcome === 'delivered') return { kind: 'delivered' }
  if (result.outcome === 'gone') return { kind: 'dead' }
  const wholeMs = Math.min(backoffMaxMs, backoffMs * 2 ** Math.min(attempt - 1, 40))
  const wishMs = Math.min(backoffMaxMs, result.retryAfterMs ?? 0)
  return { kind: 'retry', delayMs: Math.max(wishMs, wholeMs / 2 + (wholeMs / 2) * random()) }
}
