/**
 * The connections of each user across the cluster: their limit, and whether a user is connected at all. Counted by live
 * node, so a dead node's connections stop counting when its lease is over, with nobody to clean up after it.
 */
import type { Redis } from 'ioredis'
import { within } from '../platform/redis.ts'
import { RedisScript } from '../platform/redis-scripts.ts'
import { roomKeys } from '../protocol/keys.ts'

const REPLY_TIMEOUT_MS = 1000

export interface ConnectionRecord {
  userId: string
  connectionId: string
  kind: 'call' | 'user'
  /** Empty for a user channel. */
  callId: string
  /** Empty where the connection is a device of its own. */
  device: string
}

export class Connections {
  readonly #redis: Redis
  readonly #prefix: string
  readonly #leaseMs: number
  readonly #connect = new RedisScript('connect')
  readonly #connected = new RedisScript('connected')

  constructor(redis: Redis, keyPrefix: string, leaseMs: number) {
    this.#redis = redis
    this.#prefix = keyPrefix
    this.#leaseMs = leaseMs
  }

  /**
   * Counts a connection in; false where the user already has `limit` of its kind. An older connection of the same
   * device to the same call is told, on whatever node, that it is replaced.
   */
  async add(record: ConnectionRecord, nodeId: string, limit: number): Promise<boolean> {
    const { userId, connectionId, kind, callId, device } = record
    const args = [this.#prefix, userId, connectionId, kind, nodeId, callId, device, limit, this.#leaseMs]
    const [taken] = (await within(REPLY_TIMEOUT_MS, this.#connect.run(this.#redis, args))) as [number]
    return taken === 1
  }

  /** Writes again what a wiped Redis lost: past any limit, replacing nobody. */
  async restore(records: Iterable<ConnectionRecord>, nodeId: string): Promise<void> {
    const pipeline = this.#redis.pipeline()
    for (const { userId, connectionId, kind, callId, device } of records)
      pipeline.hset(roomKeys(this.#prefix).connections(userId), connectionId, [kind, nodeId, callId, device].join('|'))
    await within(REPLY_TIMEOUT_MS * 4, pipeline.exec())
  }

  async remove(record: Pick<ConnectionRecord, 'userId' | 'connectionId'>): Promise<void> {
    const removed = this.#redis.hdel(roomKeys(this.#prefix).connections(record.userId), record.connectionId)
    await within(REPLY_TIMEOUT_MS, removed)
  }

  /** True while any connection of the user, of either kind, lives on a node that beats. */
  async isConnected(userId: string): Promise<boolean> {
    const reply = this.#connected.run(this.#redis, [this.#prefix, userId, this.#leaseMs])
    return (await within(REPLY_TIMEOUT_MS, reply)) === 1
  }
}
