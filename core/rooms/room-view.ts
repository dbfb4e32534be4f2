/** What API and worker may ask of rooms. Rejects while Redis is away; the caller decides what that means. */
import type { Redis } from 'ioredis'
import { within } from '../platform/redis.ts'
import { type RoomKeys, roomKeys } from '../protocol/keys.ts'
import { type SeenRoom, SIDE_JOINED } from '../protocol/occupancy.ts'
import type { ConnectionStatus } from '../protocol/signaling.ts'

/** A reader of a room waits no longer: it has an answer without Redis, too. */
const READ_TIMEOUT_MS = 500

export class RoomDirectory {
  readonly #redis: Redis
  readonly #keys: RoomKeys
  readonly #leaseMs: number

  /** `leaseMs`: a node that has not beaten for so long does not live. */
  constructor(redis: Redis, keyPrefix: string, leaseMs: number) {
    this.#redis = redis
    this.#keys = roomKeys(keyPrefix)
    this.#leaseMs = leaseMs
  }

  /** The connection status of each role; a role that never joined is absent. */
  async connectionStatuses(callId: string): Promise<{ caller?: ConnectionStatus; callee?: ConnectionStatus }> {
    const [caller, callee] = await within(READ_TIMEOUT_MS, this.#redis.hmget(this.#keys.room(callId), 'sa', 'sb'))
    return {
      ...(caller ? { caller: caller as ConnectionStatus } : {}),
      ...(callee ? { callee: callee as ConnectionStatus } : {}),
    }
  }

  /** The connections that have a seat in the rooms of these calls; those of a room that cannot be read are left out. */
  async seatedConnections(callIds: Iterable<string>): Promise<Set<string>> {
    const pipeline = this.#redis.pipeline()
    for (const callId of callIds) pipeline.hkeys(this.#keys.roster(callId))
    const replies = (await within(READ_TIMEOUT_MS * 4, pipeline.exec())) ?? []
    return new Set(replies.flatMap(([error, ids]) => (error ? [] : (ids as string[]))))
  }

  /** For each call whether any peer is in its roster, and which sides its room has ever had. */
  async look(callIds: string[]): Promise<Map<string, SeenRoom>> {
    const pipeline = this.#redis.pipeline()
    for (const callId of callIds) {
      pipeline.exists(this.#keys.roster(callId))
      pipeline.hmget(this.#keys.room(callId), 'sa', 'sb')
    }
    const replies = (await within(READ_TIMEOUT_MS * 4, pipeline.exec())) ?? []
    return new Map(
      callIds.map((callId, index) => {
        const isOccupied = replyValue(replies[2 * index]) === 1
        const [caller, callee] = (replyValue(replies[2 * index + 1]) ?? []) as (string | null)[]
        return [callId, { isOccupied, joined: (caller ? SIDE_JOINED.a : 0) | (callee ? SIDE_JOINED.b : 0) }]
      }),
    )
  }

  /** How many gateway nodes beat within the lease. */
  async liveNodes(): Promise<number> {
    const [seconds] = await within(READ_TIMEOUT_MS, this.#redis.time())
    return within(READ_TIMEOUT_MS, this.#redis.zcount(this.#keys.nodes, Number(seconds) * 1000 - this.#leaseMs, '+inf'))
  }
}

/**
 * The value of a reply in a pipeline; undefined for a key of another type, which is rubbish in one call and concerns no
 * other. @throws what else went wrong
 */
function replyValue(reply: [Error | null, unknown] | undefined): unknown {
  const [error, value] = reply ?? [new Error('no reply'), undefined]
  if (error === null) return value
  if (error.message.startsWith('WRONGTYPE')) return undefined
  throw error
}
