/** The connections of users as operators see them. Reads alone; rejects at once while Redis is away. */
import type { Redis } from 'ioredis'
import { within } from '../platform/redis.ts'
import { roomKeys } from '../protocol/keys.ts'
import type { ConnectionRecord } from './connections.ts'

const REPLY_TIMEOUT_MS = 2000
/** Keys that Redis looks at in one step of a scan: it serves others in between. */
const SCAN_STEP = 1000

export interface ConnectionRow extends ConnectionRecord {
  nodeId: string
}

export class ConnectionDirectory {
  readonly #redis: Redis
  readonly #prefix: string

  constructor(redis: Redis, keyPrefix: string) {
    this.#redis = redis
    this.#prefix = keyPrefix
  }

  /** The connections of these users, those of nodes that died a moment ago included. */
  async ofUsers(userIds: string[]): Promise<ConnectionRow[]> {
    const pipeline = this.#redis.pipeline()
    for (const userId of userIds) pipeline.hgetall(roomKeys(this.#prefix).connections(userId))
    const replies = (await within(REPLY_TIMEOUT_MS, pipeline.exec())) ?? []
    return userIds.flatMap((userId, index) => {
      const [error, found] = replies[index] ?? [new Error('no reply'), null]
      // Somebody else wrote to the key: its user's connections are not known, the others' are.
      if (error) return []
      return Object.entries(found as Record<string, string>).map(([id, text]) => readRecord(userId, id, text))
    })
  }

  /**
   * Every connection of a node. No key holds them together, so all users who are connected are looked through, in small
   * steps: for a look by hand, not for a program that looks every second.
   */
  async ofNode(nodeId: string): Promise<ConnectionRow[]> {
    const rows: ConnectionRow[] = []
    const start = roomKeys(this.#prefix).connections('')
    let cursor = '0'
    do {
      const scan = this.#redis.scan(cursor, 'MATCH', `${start.replace(/[*?[\]\\]/g, '\\$&')}*`, 'COUNT', SCAN_STEP)
      const [next, keys] = await within(REPLY_TIMEOUT_MS, scan)
      if (keys.length > 0) {
        const found = await this.ofUsers(keys.map((key) => key.slice(start.length)))
        rows.push(...found.filter((row) => row.nodeId === nodeId))
      }
      cursor = next
    } while (cursor !== '0')
    return rows
  }
}

/** `<kind>|<node>|<call>|<device>`, as connect.lua writes it. */
function readRecord(userId: string, connectionId: string, text: string): ConnectionRow {
  const [kind, nodeId = '', callId = '', ...device] = text.split('|')
  return { userId, connectionId, kind: kind === 'call' ? 'call' : 'user', nodeId, callId, device: device.join('|') }
}
