/** A peer's messages that wait while its join runs, in order, within a bound of bytes. */
import type { Incoming } from './peer.ts'

/** As much as the log keeps of a call. */
const WAITING_MAX_BYTES = 1024 * 1024
/** What a message costs beside its text. */
const MESSAGE_BYTES = 1024
/** What a message of a burst may have on average: candidates have 300 to 400 bytes. */
const BURST_MESSAGE_BYTES = 2048
/** Less than a call may have waiting for a flush (fair-queue.ts), so that what waited here finds room there. */
const BURST_MAX = 2000

export class PendingMessages {
  readonly #maxBytes: number
  readonly #waiting: Incoming[] = []
  #bytes = 0

  /** `burst`: messages that a connection may send at once. So many candidates find room, up to 2000 of them. */
  constructor(burst: number) {
    this.#maxBytes = Math.max(WAITING_MAX_BYTES, Math.min(burst, BURST_MAX) * BURST_MESSAGE_BYTES)
  }

  /** Adds a message; false where there is no room for it. */
  add(incoming: Incoming): boolean {
    const bytes = this.#bytes + incoming.text().length + MESSAGE_BYTES
    if (bytes > this.#maxBytes) return false
    this.#bytes = bytes
    this.#waiting.push(incoming)
    return true
  }

  [Symbol.iterator](): Iterator<Incoming> {
    return this.#waiting[Symbol.iterator]()
  }
}
