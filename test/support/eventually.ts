/** Waiting for what nobody announces: the condition is asked again until it holds or time is up. */
import { patient } from './patience.ts'

/** On a calm machine; a condition that holds is noticed within {@link PAUSE_MS}. */
const DEADLINE_MS = 10_000
const PAUSE_MS = 20

/**
 * Repeats `check` until it returns without throwing anything, and hands its value on. Assertions make good checks: the
 * last one that failed is the reason that is shown.
 * @param calmMs how long it may take on a calm machine
 * @param pauseMs between two looks, where looking changes what is looked at
 * @throws after `calmMs` times {@link PATIENCE}, with the last reason
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  calmMs: number = DEADLINE_MS,
  pauseMs: number = PAUSE_MS,
): Promise<T> {
  const timeoutMs = patient(calmMs)
  const deadlineAt = Date.now() + timeoutMs
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (Date.now() >= deadlineAt) {
        const reason = error instanceof Error ? error.message : String(error)
        throw new Error(`Not so within ${timeoutMs} ms: ${reason}`, { cause: error })
      }
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}
