/**
 * How long this worker has been in unbroken contact with both stores. Only then may it conclude from an absence: peers
 * that could not beat, join or tell while a store was away need a lease's time to be seen again (ARCHITECTURE, who is
 * alive). So an outage of either store, or a wiped Redis, ends nobody's call.
 */
import { randomUUID } from 'node:crypto'
import type { RoomView } from '../core/calls/call-deadlines.ts'
import type { Database } from '../core/platform/postgres.ts'
import { type GuardedRedis, within } from '../core/platform/redis.ts'

/** A store that is slower than this is as good as away for a judge. */
const PROBE_TIMEOUT_MS = 2000

export interface Probes {
  /** Rejects while Postgres is away. */
  postgres(): Promise<void>
  /** Whether Redis still has what the previous probe left there. Rejects while Redis is away. */
  redis(): Promise<boolean>
}

export class Contact {
  readonly #probes: Probes
  readonly #leaseMs: number
  readonly #now: () => number
  #unbrokenSince: number | undefined
  #lastGoodAt = Number.NEGATIVE_INFINITY

  /** `leaseMs` is the gateways' lease; `now` is a monotonic clock in milliseconds. */
  constructor(probes: Probes, leaseMs: number, now: () => number = () => performance.now()) {
    this.#probes = probes
    this.#leaseMs = leaseMs
    this.#now = now
  }

  /** True after a whole lease of contact without a gap. Silence counts as a gap, too: this process was stopped, say. */
  get isUnbroken(): boolean {
    const now = this.#now()
    return this.#unbrokenSince !== undefined && now - this.#unbrokenSince >= this.#leaseMs && !this.#hasBeenSilent(now)
  }

  /** Asks both stores. Never rejects. */
  async probe(): Promise<void> {
    const startedAt = this.#now()
    const redis = this.#probes.redis().then((kept) => {
      // At once: a judge may be just about to look, and the other store may answer later.
      if (!kept) this.#unbrokenSince = undefined
    })
    const answers = await Promise.allSettled([this.#probes.postgres(), redis])
    if (answers.some(({ status }) => status === 'rejected')) {
      this.#unbrokenSince = undefined
      return
    }
    if (this.#hasBeenSilent(startedAt)) this.#unbrokenSince = undefined
    const now = this.#now()
    this.#unbrokenSince ??= now
    this.#lastGoodAt = now
  }

  /**
   * A view of rooms that is fit to conclude from: the stores are asked again after the look, so that not even a Redis
   * that was wiped a moment ago passes for empty rooms.
   * @throws where contact is not unbroken
   */
  guard(rooms: RoomView): RoomView {
    return {
      look: async (callIds, group) => {
        const seen = await rooms.look(callIds, group)
        await this.probe()
        if (!this.isUnbroken) throw new Error('the rooms were seen without unbroken contact')
        return seen
      },
    }
  }

  #hasBeenSilent(now: number): boolean {
    return now - this.#lastGoodAt > this.#leaseMs / 2
  }
}

/**
 * The probes of a worker. In Redis it leaves a mark (`{prefix}worker:{uuid}:mark -> 1`, living ten leases): a mark that
 * is gone says that Redis was wiped or replaced, although the connection may never have noticed. A promoted replica has
 * the mark and may lack what came after it.
 */
export function storeProbes(db: Database, redis: GuardedRedis, keyPrefix: string, leaseMs: number): Probes {
  const mark = `${keyPrefix}worker:${randomUUID()}:mark`
  let history: string | undefined
  return {
    async postgres() {
      await db.raw('SELECT 1').timeout(PROBE_TIMEOUT_MS)
    },
    async redis() {
      const kept = (await within(PROBE_TIMEOUT_MS, redis.set(mark, '1', 'PX', leaseMs * 10, 'GET'))) !== null
      const isSame = redis.history === history
      history = redis.history
      return kept && isSame
    },
  }
}
