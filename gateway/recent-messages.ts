/**
 * This node's short memory of what it had numbered: with it a wiped Redis is filled again, so that what was acknowledged
 * survives the loss of Redis as it survives the loss of a node, not of both at once.
 */

import { ANY_SENDER, type RelayRequest, type RelayResult } from '../core/rooms/relay-words.ts'
import type { Entry, Side } from '../core/rooms/room.ts'
import type { RoomStore } from '../core/rooms/room-store.ts'
import { RecordRing } from './record-ring.ts'
import { rewrittenBody } from './relayed-body.ts'

/** As long as the log keeps a message (decisions, "What may be stored"). */
const KEEP_MS = 120_000
/** All calls of the node together; at 10,000 messages a second that is the last 4 s. */
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
  readonly #ring = new RecordRing({ keepMs: KEEP_MS, keepBytes: KEEP_BYTES })

  /** Remembers a message that the log has numbered. */
  remember({ callId, from, dedupeId }: RelayRequest, entry: Entry): void {
    this.#add(callId, from, dedupeId, entry, performance.now())
  }

  #add(callId: string, from: Side, dedupeId: string, { epoch, number, previous, body }: Entry, at: number): void {
    this.#ring.add(`${callId} ${from} ${epoch} ${number} ${previous} ${dedupeId.length} ${dedupeId}${body}`, at)
  }

  /**
   * Writes again, in order, what calls have lost: messages of an epoch that is not their room's any more, or with numbers
   * that a promoted replica never got. `onWritten` gets each new place. A client that resends one meanwhile finds its id
   * taken.
   */
  async writeAgain(store: RoomStore, onWritten: (callId: string, result: RelayResult) => void): Promise<number> {
    const kept = this.#ring.take(performance.now()).map(({ text, at }) => parseRecord(text, at))
    try {
      const extents = await store.extents(new Set(kept.map(({ callId }) => callId)))
      const lost = kept.filter(({ callId, entry }) => entry.number > (extents.get(callId)?.get(entry.epoch) ?? 0))
      for (let at = 0; at < lost.length; at += BATCH) {
        const batch = lost.slice(at, at + BATCH)
        const results = await store.relay(batch.map(asRequest))
        for (const [index, message] of batch.entries()) {
          const result = results[index] as RelayResult
          message.entry = { ...result.entry, body: message.entry.body }
          onWritten(message.callId, result)
        }
      }
      return lost.length
    } finally {
      // Remembered on, with their new places as far as they have one; what was numbered meanwhile comes after them.
      const meanwhile = this.#ring.take(performance.now()).map(({ text, at }) => parseRecord(text, at))
      for (const { callId, from, dedupeId, entry, at } of [...kept, ...meanwhile])
        this.#add(callId, from, dedupeId, entry, at)
    }
  }
}

/** Whoever sent it may be gone; its id is looked up, and those of its side from then on. */
function asRequest({ callId, from, dedupeId, entry }: Remembered): RelayRequest {
  return { callId, from, sender: ANY_SENDER, mayBeSeen: true, dedupeId, body: rewrittenBody(entry) }
}

function parseRecord(text: string, at: number): Remembered {
  const [callId, from, epoch, number, previous, length] = text.split(' ', 6) as [
    string,
    Side,
    string,
    string,
    string,
    string,
  ]
  const start = [callId, from, epoch, number, previous, length].join(' ').length + 1
  const end = start + Number(length)
  const to = from === 'a' ? 'b' : 'a'
  const entry = { to, epoch, number: Number(number), previous: Number(previous), body: text.slice(end) } as const
  return { callId, from, dedupeId: text.slice(start, end), entry, at }
}
