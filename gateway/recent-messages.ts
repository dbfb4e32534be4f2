/**
 * This node's short memory of what it had numbered: with it a wiped Redis is filled again, so that what was acknowledged
 * survives the loss of Redis as it survives the loss of a node, not of both at once.
 */
import type { Entry, Side } from '../core/rooms/room.ts'
import type { RelayRequest, RelayResult, RoomStore } from '../core/rooms/room-store.ts'
import { rewrittenBody } from './relayed-body.ts'

/** As long as the log keeps a message (decisions, "What may be stored"). */
const KEEP_MS = 120_000
/** All calls of the node together; at 10,000 messages a second that is the last 5 s. */
const KEEP_BYTES = 16 * 1024 * 1024
/** Messages written again by one script run. */
const BATCH = 200

interface Remembered {
  callId: string
  from: Side
  dedupeId: string
  entry: Entry
  at: number
}

export class RecentMessages {
  #messages: Remembered[] = []
  /** Messages before this index are forgotten; the array is cut when they are many. */
  #head = 0
  #bytes = 0

  /** Remembers a message that the log has numbered. */
  remember({ callId, from, dedupeId }: RelayRequest, entry: Entry): void {
    const now = performance.now()
    this.#messages.push({ callId, from, dedupeId, entry, at: now })
    this.#bytes += entry.body.length
    this.#forget(now)
  }

  #forget(now: number): void {
    for (let oldest = this.#messages[this.#head]; oldest !== undefined; oldest = this.#messages[this.#head]) {
      if (this.#bytes <= KEEP_BYTES && now - oldest.at <= KEEP_MS) break
      this.#bytes -= oldest.entry.body.length
      this.#head += 1
    }
    if (this.#head > 1024 && this.#head * 2 > this.#messages.length) {
      this.#messages = this.#messages.slice(this.#head)
      this.#head = 0
    }
  }

  /**
   * Writes again, in order, what calls have lost: messages of an epoch that is not their room's any more. `onWritten`
   * gets each new place. A client that resends one meanwhile finds its id taken.
   */
  async writeAgain(store: RoomStore, onWritten: (callId: string, result: RelayResult) => void): Promise<number> {
    this.#forget(performance.now())
    const kept = this.#messages.slice(this.#head)
    const epochs = await store.epochs(new Set(kept.map(({ callId }) => callId)))
    const lost = kept.filter(({ callId, entry }) => epochs.get(callId) !== entry.epoch)
    for (let at = 0; at < lost.length; at += BATCH) {
      const batch = lost.slice(at, at + BATCH)
      const results = await store.relay(batch.map((message) => ({ ...message, body: rewrittenBody(message.entry) })))
      for (const [index, message] of batch.entries()) {
        const result = results[index] as RelayResult
        message.entry = { ...result.entry, body: message.entry.body }
        onWritten(message.callId, result)
      }
    }
    return lost.length
  }
}
