/** The gateway nodes as operators see them, and what they may ask of one. Rejects at once while Redis is away. */
import type { Redis } from 'ioredis'
import { within } from '../platform/redis.ts'
import { type RoomKeys, roomKeys } from '../protocol/keys.ts'

const REPLY_TIMEOUT_MS = 2000
/** A node reads the wish at its next beat, after 2 s as a rule; one that is dead by then has an id that never comes back. */
const DRAIN_WISH_MS = 600_000

/** `drained`: it has sent its peers away and serves nobody, until somebody ends it. */
export type NodeState = 'serving' | 'draining' | 'drained'

/** `stay`: drain and stay there, drained; `exit`: drain and end, as after SIGTERM. */
export type DrainWish = 'stay' | 'exit'

/** What a node tells of itself with each beat. */
export interface NodeAbout {
  version: string
  /** ISO 8601, by the node's clock. */
  startedAt: string
  /** Seconds since its start. */
  uptimeSeconds: number
  state: NodeState
  callConnections: number
  userChannels: number
}

export interface NodeRow {
  nodeId: string
  /** Its last beat is younger than the lease. */
  isLive: boolean
  /** Since its last beat, by Redis' clock. */
  beatAgeMs: number
  /** Undefined where the node has not told: it is of an older version, or Redis was wiped a moment ago. */
  about: NodeAbout | undefined
}

export class NodeDirectory {
  readonly #redis: Redis
  readonly #keys: RoomKeys
  readonly #leaseMs: number

  constructor(redis: Redis, keyPrefix: string, leaseMs: number) {
    this.#redis = redis
    this.#keys = roomKeys(keyPrefix)
    this.#leaseMs = leaseMs
  }

  /** Every node that beats or was not buried yet, by name. */
  async list(): Promise<NodeRow[]> {
    const [[seconds, micros], flat] = await within(
      REPLY_TIMEOUT_MS,
      Promise.all([this.#redis.time(), this.#redis.zrange(this.#keys.nodes, '0', '-1', 'WITHSCORES')]),
    )
    const now = Number(seconds) * 1000 + Number(micros) / 1000
    const nodes = flat.flatMap((nodeId, index) => (index % 2 === 0 ? [{ nodeId, beat: Number(flat[index + 1]) }] : []))
    const texts =
      nodes.length === 0
        ? []
        : await within(REPLY_TIMEOUT_MS, this.#redis.mget(...nodes.map(({ nodeId }) => this.#keys.about(nodeId))))
    const rows = nodes.map(({ nodeId, beat }, index) => ({
      nodeId,
      isLive: now - beat <= this.#leaseMs,
      beatAgeMs: Math.max(0, Math.round(now - beat)),
      about: readAbout(texts[index]),
    }))
    return rows.sort((one, other) => (one.nodeId < other.nodeId ? -1 : 1))
  }

  /** Asks a node to drain. Whoever can write to Redis may. */
  async askToDrain(nodeId: string, wish: DrainWish): Promise<void> {
    await within(REPLY_TIMEOUT_MS, this.#redis.set(this.#keys.drain(nodeId), wish, 'PX', DRAIN_WISH_MS))
  }

  /** The calls with a connection on a node. */
  async callsOf(nodeId: string): Promise<string[]> {
    return within(REPLY_TIMEOUT_MS, this.#redis.smembers(this.#keys.calls(nodeId)))
  }
}

/** Anything may stand in Redis. */
function readAbout(text: string | null | undefined): NodeAbout | undefined {
  if (text === null || text === undefined) return undefined
  try {
    const about = JSON.parse(text) as NodeAbout
    return typeof about.version === 'string' && typeof about.state === 'string' ? about : undefined
  } catch {
    return undefined
  }
}
