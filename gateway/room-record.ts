/**
 * Keeps Postgres told of whether a call has connected peers: `first_joined_at` and `peers_gone_since` are what the
 * worker judges by. Written behind the signaling, never before it: while Postgres is away, calls go on and the newest
 * fact of each call waits here. Another node may write of the same call sooner or later: the room's version says who is right.
 */
import type { CallService } from '../core/calls/call-service.ts'
import type { Logger } from '../core/platform/logger.ts'
import { type Occupancy, SIDE_JOINED } from '../core/protocol/occupancy.ts'
import type { Side } from '../core/rooms/room.ts'

/** Pause before Postgres is tried again. The worker waits a full lease after its return before it judges by the record. */
const RETRY_MS = 500
/** Facts are written together: after the loss of a node, hundreds of calls are connected here within a second or two. */
const COLLECT_MS = 50
const BATCH = 500

export class RoomRecord {
  readonly #calls: Pick<CallService, 'noteOccupancy'>
  readonly #log: Logger
  /** The newest fact of each call that Postgres does not have yet. */
  readonly #waiting = new Map<string, Occupancy>()
  #writing: Promise<void> | undefined
  #stopped = false

  constructor(calls: Pick<CallService, 'noteOccupancy'>, log: Logger) {
    this.#calls = calls
    this.#log = log
  }

  /** A peer of this side has joined, and the room has this version since. */
  joined(callId: string, side: Side, version: number): void {
    this.note({ callId, isOccupied: true, version, joined: SIDE_JOINED[side] })
  }

  /** Nobody is connected any more, and the room has this version since. */
  emptied(callId: string, version: number): void {
    this.note({ callId, isOccupied: false, version, joined: 0 })
  }

  /** Whether a peer is connected, on any node, and who has joined; of facts that wait the newest counts for the former. */
  note(fact: Occupancy): void {
    const waiting = this.#waiting.get(fact.callId)
    const joined = fact.joined | (waiting?.joined ?? 0)
    if (waiting !== undefined && waiting.version >= fact.version && waiting.joined === joined) return
    const newest = waiting !== undefined && waiting.version >= fact.version ? waiting : fact
    this.#waiting.set(fact.callId, { ...newest, joined })
    this.#writing ??= this.#write()
  }

  async #write(): Promise<void> {
    while (this.#waiting.size > 0 && (await this.#writeBatch()));
    // In the same step as the look at what waits: a fact that comes later begins a new one.
    this.#writing = undefined
  }

  /** False where nobody waits for another try. */
  async #writeBatch(): Promise<boolean> {
    await pause(this.#stopped ? 0 : COLLECT_MS)
    const batch = [...this.#waiting.values()].slice(0, BATCH)
    try {
      await this.#calls.noteOccupancy(batch)
      for (const fact of batch) if (this.#waiting.get(fact.callId) === fact) this.#waiting.delete(fact.callId)
    } catch (error) {
      if (this.#stopped) return false
      this.#log.debug({ calls: batch.length, err: (error as Error).message }, 'room record not written yet')
      await pause(RETRY_MS)
    }
    return true
  }

  /** Writes what waits, trying each once more at most: a process that ends does not wait for Postgres to come back. */
  async close(): Promise<void> {
    this.#stopped = true
    await this.#writing
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
