// Waiting for conditions, always with an end.

const LOOK_EVERY_MS = 5

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits for a condition; false where it did not come true within `ms`. */
export async function until(ms: number, condition: () => boolean): Promise<boolean> {
  const deadline = performance.now() + ms
  while (!condition()) {
    if (performance.now() > deadline) return false
    await sleep(LOOK_EVERY_MS)
  }
  return true
}
