/** The worker's part in rooms: the funerals of dead nodes and the ends of graces. Any number of workers may run it. */
import type { Redis } from 'ioredis'
import { within } from '../platform/redis.ts'
import { RedisScript } from '../platform/redis-scripts.ts'

/** Calls of a dead node, or graces, handled by one script run: bounds the time that Redis serves nobody else. */
const BATCH = 100
const REPLY_TIMEOUT_MS = 2000

export interface EmptyRoom {
  callId: string
  /** The version of its being empty; see `Joined`. */
  occupancy: number
}

export class RoomKeeper {
  readonly #redis: Redis
  readonly #prefix: string
  readonly #leaseMs: number
  readonly #graceMs: number
  readonly #bury = new RedisScript('bury')
  readonly #graces = new RedisScript('graces')

  constructor(redis: Redis, keyPrefix: string, times: { leaseMs: number; reconnectGraceMs: number }) {
    this.#redis = redis
    this.#prefix = keyPrefix
    this.#leaseMs = times.leaseMs
    this.#graceMs = times.reconnectGraceMs
  }

  /** Takes the peers of dead nodes out of their rooms. Returns the calls that no connected peer is left in. */
  async buryDead(): Promise<EmptyRoom[]> {
    const empty: EmptyRoom[] = []
    for (;;) {
      const reply = this.#bury.run(this.#redis, [this.#prefix, this.#leaseMs, this.#graceMs, BATCH])
      const [more, ...calls] = (await within(REPLY_TIMEOUT_MS, reply)) as [number, ...(string | number)[]]
      for (let at = 0; at < calls.length; at += 2)
        empty.push({ callId: String(calls[at]), occupancy: Number(calls[at + 1]) })
      if (more === 0) return empty
    }
  }

  /** Announces the users whose reconnect grace is over; returns how many were due. */
  async endGraces(): Promise<number> {
    let ended = 0
    for (;;) {
      const due = Number(await within(REPLY_TIMEOUT_MS, this.#graces.run(this.#redis, [this.#prefix, BATCH])))
      ended += due
      if (due < BATCH) return ended
    }
  }
}
