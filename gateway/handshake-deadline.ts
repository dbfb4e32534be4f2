/** A deadline for a whole handshake: whatever it waits for, its client is told to come again instead of waiting on. */
import { AppError } from '../core/protocol/errors.ts'

/** As long as a request over HTTP may take. Clients give a handshake up after 10 to 20 s. */
const HANDSHAKE_DEADLINE_MS = 5_000

/**
 * Runs `check` no longer than the deadline. What it has admitted later is handed to `giveBack`: nobody waits for it.
 * @throws SERVICE_UNAVAILABLE at the deadline, and whatever `check` throws before it
 */
export async function inTime<T>(
  check: (isLate: () => boolean) => Promise<T>,
  giveBack: (admitted: T) => void,
): Promise<T> {
  let isLate = false
  let timer: NodeJS.Timeout | undefined
  const checking = check(() => isLate)
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      isLate = true
      checking.then(giveBack, () => {
        // Nobody waits for its refusal either.
      })
      reject(new AppError('SERVICE_UNAVAILABLE', 'The connection could not be checked in time'))
    }, HANDSHAKE_DEADLINE_MS)
  })
  try {
    return await Promise.race([checking, late])
  } finally {
    clearTimeout(timer)
  }
}
