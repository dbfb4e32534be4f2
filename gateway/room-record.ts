/**
 * Keeps Postgres told of whether a call has connected peers: `first_joined_at` and `peers_gone_since` are what the
 * worker judges by. Written behind the signaling, never before it: while Postgres is away, calls go on and the newest
 * fact of each call waits here.
 */
import type { CallService } from '../core/calls/call-service.ts'
import type { Logger } from '../core/platform/logger.ts'

/** Pause before Postgres is tried again. The worker waits a full lease after its return before it judges by the record. */
const RETRY_MS = 500
/** Facts are written together: after the loss of a node, hundreds of calls are connected here within a second or two. */
const COLLECT_MS = 50
const BATCH = 500

type Fact = 'connected' | 'empty'

export class RoomRecord {
  readonly #calls: Pick<CallService, 'peersJoined' | 'peersGone'>
  readonly #log: Logger
  /** The newest fact of each call that Postgres does not have yet. */
  readonly #waiting = new Map<string, Fact>()
  #writing: Promise<void> | undefined
  #stopped = false

  constructor(calls: Pick<CallService, 'peersJoined' | 'peersGone'>, log: Logger) {
    this.#calls = calls
    this.#log = log
  }

  /** A peer of the call is connected. */
  connected(callId: string): void {
    this.#note(callId, 'connected')
  }

  /** No peer of the call is connected any more, on any node. */
  empty(callId: string): void {
    this.#note(callId, 'empty')
  }

  #note(callId: string, fact: Fact): void {
    this.#waiting.set(callId, fact)
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
  }

  async #write(): Promise<void> {
    while (this.#waiting.size > 0) {
      await pause(this.#stopped ? 0 : COLLECT_MS)
      const batch = [...this.#waiting].slice(0, BATCH)
      const callsThat = (wanted: Fact) => batch.filter(([, fact]) => fact === wanted).map(([callId]) => callId)
      const [connected, empty] = [callsThat('connected'), callsThat('empty')]
      try {
        if (connected.length > 0) await this.#calls.peersJoined(connected)
        if (empty.length > 0) await this.#calls.peersGone(empty)
        for (const [callId, fact] of batch) if (this.#waiting.get(callId) === fact) this.#waiting.delete(callId)
      } catch (error) {
        if (this.#stopped) return
        this.#log.debug({ calls: batch.length, err: (error as Error).message }, 'room record not written yet')
        await pause(RETRY_MS)
      }
    }
  }

  /** Writes what waits, trying each once more at most: a process that ends does not wait for Postgres to come back. */
  async close(): Promise<void> {
    this.#stopped = true
    await this.#writing
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
