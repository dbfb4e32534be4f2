/** What a room keeps of its clients' reports about their peer connections. Rejects at once while Redis is away. */
import type { Redis } from 'ioredis'
import { within } from '../platform/redis.ts'
import { ROOM_TTL_MS, type RoomKeys, roomKeys } from '../protocol/keys.ts'
import type { ConnectionStatus } from '../protocol/signaling.ts'
import type { Side } from './room.ts'
import { REPLY_TIMEOUT_MS } from './room-scripts.ts'

/** What became of the set-up of a side's peer connection. */
export type Outcome = 'connected' | 'failed' | 'never'

export class ConnectionReports {
  readonly #redis: Redis
  readonly #keys: RoomKeys

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis
    this.#keys = roomKeys(prefix)
  }

  /** Keeps the `connection_status` of a side until the next report, join or loss. */
  async setStatus(callId: string, side: Side, status: ConnectionStatus): Promise<void> {
    await this.#redis
      .pipeline()
      .hset(this.#keys.room(callId), `s${side}`, status)
      .pexpire(...this.#life(callId))
      .exec()
  }

  /**
   * Notes an outcome where none is noted yet for this side of the call, whichever node asks.
   * @returns the outcome that was noted before, undefined where this is the first
   */
  async noteOutcome(callId: string, side: Side, outcome: Outcome): Promise<Outcome | undefined> {
    const room = this.#keys.room(callId)
    const field = `o${side}`
    const transaction = this.#redis.multi().hget(room, field).hsetnx(room, field, outcome)
    const replies = await within(REPLY_TIMEOUT_MS, transaction.pexpire(...this.#life(callId)).exec())
    const [error, before] = replies?.[0] ?? [new Error('no reply')]
    if (error) throw error
    return before === null ? undefined : (before as Outcome)
  }

  /** A report may come just after the room expired: what it writes must not stay for ever. */
  #life(callId: string): [key: string, ms: number] {
    return [this.#keys.room(callId), ROOM_TTL_MS]
  }
}
