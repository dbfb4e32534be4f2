/**
 * The connections of each user across the cluster: their limit, and whether a user is connected at all. Counted by live
 * node, so a dead node's connections stop counting when its lease is over, with nobody to clean up after it.
 */
import type { Redis } from 'ioredis'
import { GroupCommit } from '../platform/group-commit.ts'
import { within } from '../platform/redis.ts'
import { RedisScript } from '../platform/redis-scripts.ts'
import { roomKeys } from '../protocol/keys.ts'

const REPLY_TIMEOUT_MS = 1000
/** Connections counted by one run of the script; bounds the time that it takes. */
const CHANGES_MAX = 128

/** What connect.lua takes for a connection: '+' or '-', user, connection, kind, node, call, device, limit. */
type Change = ['+' | '-', string, string, string, string, string, string, number]

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
  readonly #counting: GroupCommit<Change, boolean>
  readonly #connected = new RedisScript('connected')

  constructor(redis: Redis, keyPrefix: string, leaseMs: number) {
    this.#redis = redis
    this.#prefix = keyPrefix
    this.#leaseMs = leaseMs
    const script = new RedisScript('connect')
    this.#counting = new GroupCommit(CHANGES_MAX, async (changes) => {
      const args = [keyPrefix, leaseMs, ...changes.flat()]
      const replies = (await within(REPLY_TIMEOUT_MS, script.run(redis, args))) as number[]
      return replies.map((reply) => reply === 1)
    })
  }

  /**
   * Counts a connection in; false where the user already has `limit` of its kind. An older connection of the same
   * device to the same call is told, on whatever node, that it is replaced.
   */
  async add(record: ConnectionRecord, nodeId: string, limit: number): Promise<boolean> {
    const { userId, connectionId, kind, callId, device } = record
    const change: Change = ['+', userId, connectionId, kind, nodeId, callId, device, limit]
    return within(REPLY_TIMEOUT_MS, this.#counting.add(change))
  }

  /** Writes again what a wiped Redis lost: past any limit, replacing nobody. */
  async restore(records: Iterable<ConnectionRecord>, nodeId: string): Promise<void> {
    const pipeline = this.#redis.pipeline()
    for (const { userId, connectionId, kind, callId, device } of records)
      pipeline.hset(roomKeys(this.#prefix).connections(userId), connectionId, [kind, nodeId, callId, device].join('|'))
    await within(REPLY_TIMEOUT_MS * 4, pipeline.exec())
  }

  async remove(record: Pick<ConnectionRecord, 'userId' | 'connectionId'>): Promise<void> {
    await this.#counting.add(['-', record.userId, record.connectionId, '', '', '', '', 0])
  }

  /** True while any connection of the user, of either kind, lives on a node that beats. */
  async isConnected(userId: string): Promise<boolean> {
    const reply = this.#connected.run(this.#redis, [this.#prefix, userId, this.#leaseMs])
    return (await within(REPLY_TIMEOUT_MS, reply)) === 1
  }
}
