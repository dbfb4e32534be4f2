/**
 * Keeps Postgres told of whether a call has connected peers: `first_joined_at` and `peers_gone_since` are what the
 * worker judges by. Written behind the signaling, never before it: while Postgres is away, calls go on and the newest
 * fact of each call waits here.
 */
import type { CallService } from '../core/calls/call-service.ts'
import type { Logger } from '../core/platform/logger.ts'

/** Pause before Postgres is tried again. The worker waits a full lease after its return before it judges by the record. */
const RETRY_MS = 500

type Fact = 'connected' | 'empty'

export class RoomRecord {
  readonly #calls: Pick<CallService, 'peerJoined' | 'peersGone'>
  readonly #log: Logger
  /** The newest fact of each call that Postgres does not have yet. */
  readonly #waiting = new Map<string, Fact>()
  #writing: Promise<void> | undefined
  #stopped = false

  constructor(calls: Pick<CallService, 'peerJoined' | 'peersGone'>, log: Logger) {
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
    for (let next = firstOf(this.#waiting); next !== undefined; next = firstOf(this.#waiting)) {
      const [callId, fact] = next
      try {
        await (fact === 'connected' ? this.#calls.peerJoined(callId) : this.#calls.peersGone(callId))
        if (this.#waiting.get(callId) === fact) this.#waiting.delete(callId)
      } catch (error) {
        if (this.#stopped) return
        this.#log.debug({ callId, err: (error as Error).message }, 'room record not written yet')
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }

  /** Writes what waits, trying each once more at most: a process that ends does not wait for Postgres to come back. */
  async close(): Promise<void> {
    this.#stopped = true
    await this.#writing
  }
}

function firstOf(map: Map<string, Fact>): [string, Fact] | undefined {
  for (const entry of map) return entry
  return undefined
}
