// Waiting for a condition with a deadline and a reason; nothing in the cluster sleeps for a fixed time.

/**
 * Repeats `attempt` every 25 ms until it returns (its value is handed on) instead of throwing.
 * @throws the last error, with `what` in front, once `deadlineMs` have passed
 */
export async function waitUntil<T>(what: string, deadlineMs: number, attempt: () => Promise<T> | T): Promise<T> {
  const deadlineAt = Date.now() + deadlineMs
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (error instanceof GiveUp) throw new Error(`${what}: ${reason}`)
      if (Date.now() >= deadlineAt) throw new Error(`${what} within ${deadlineMs / 1000} s: ${reason}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

/** Thrown inside an attempt of {@link waitUntil} when waiting longer cannot help. */
export class GiveUp extends Error {}
