/** The name under which the log remembers a client's message, so that a repeated `id` is numbered once. */

/** Would end a device's name early, or make it look like a quoted one. */
const AMBIGUOUS_DEVICE = /^"|\n|\p{Surrogate}/u

/**
 * Two ids of one user have the same name only where device, type and value are the same. An id is its device's own where
 * the device is known, so that two devices may both count from 1; `''` is a connection without one.
 * Nearly every name is what older versions wrote, so that a message sent again during an update is known.
 */
export function dedupeIdOf(device: string, id: string | number): string {
  const scope = AMBIGUOUS_DEVICE.test(device) ? JSON.stringify(device) : device
  if (typeof id === 'number') return `${scope}\n#${id}`
  // A number's name begins with one '#', that of a string never does.
  return id.startsWith('#') ? `${scope}\n#${id}` : `${scope}\n${id}`
}
