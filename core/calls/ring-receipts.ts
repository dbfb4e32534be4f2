/**
 * Whether the callee is really rung. A device says so with a receipt; where none has come within the limit, the caller is
 * told that the callee is unreachable, and a later receipt still turns that round. The call stays `connecting` meanwhile:
 * neither is a transition, but both raise the version and are told like one, so that they are guarded and told alike.
 */
import type { CallGroups } from '../platform/call-groups.ts'
import type { Config } from '../platform/config.ts'
import type { Database } from '../platform/postgres.ts'
import type { CallRinging } from '../protocol/cluster-events.ts'
import { AppError } from '../protocol/errors.ts'
import { WebhookQueue } from '../webhooks/enqueue.ts'
import { type Call, isLive, roleOf } from './call.ts'
import type { CallDeadlines } from './call-deadlines.ts'
import { callRinging } from './call-messages.ts'
import { CLOCK } from './call-sql.ts'
import type { CallStore } from './call-store.ts'
import { type Change, type ChangeRow, change, TOLD } from './call-transitions.ts'
import { withRetries } from './database-retry.ts'

/**
 * The guard of both changes: an answered, ended or overdue call rings nobody, and what is known is not changed again.
 * Written so that no index of deadlines fits: the sweep is to use the index of those that still wait for a receipt.
 */
const STILL_RINGS = `status IN ('connecting') AND deadline_at - clock.at > interval '0' AND ringing_at IS NULL`

interface Dependencies {
  db: Database
  config: Config['calls']
  groups: CallGroups
  store: CallStore
  deadlines: CallDeadlines
  /** Told of every change that was made here, after the commit. */
  onChanged(change: Change): void
}

/** A call that rings, and Postgres' clock when that was so. */
export interface Confirmed {
  call: Call
  serverTime: Date
}

export class RingReceipts {
  readonly #deps: Dependencies
  readonly #webhooks: WebhookQueue

  constructor(deps: Dependencies) {
    this.#deps = deps
    this.#webhooks = new WebhookQueue(deps.config.webhooks)
  }

  /**
   * A device of the callee rings. The first receipt is told to the caller; further ones, of any device, change nothing.
   * @throws CALL_NOT_FOUND, FORBIDDEN for anybody but the callee, CONFLICT where the call was answered,
   *   CALL_ALREADY_ENDED, also where it was overdue: this device must not ring
   */
  async confirm(callId: string, userId: string): Promise<Confirmed> {
    const changed = await withRetries(() => this.#markRinging(callId, userId), { repeatable: true })
    if (changed !== undefined) {
      this.#deps.onChanged(changed)
      return { call: changed.call, serverTime: changed.call.ringingAt ?? changed.call.createdAt }
    }
    const call = await withRetries(() => this.#deps.store.find(callId), { repeatable: true })
    if (call === undefined) throw new AppError('CALL_NOT_FOUND')
    if (roleOf(call, userId) !== 'callee') throw new AppError('FORBIDDEN', 'Only the callee of a call rings')
    if (call.status === 'active') throw new AppError('CONFLICT', 'The call was already answered')
    if (!isLive(call) || (await this.#deps.deadlines.settle(call))) throw new AppError('CALL_ALREADY_ENDED')
    return { call, serverTime: call.readAt }
  }

  /** Reports up to `limit` callees as unreachable; returns how many. Several processes share the work. */
  async giveUp(limit: number): Promise<number> {
    const changes = await withRetries(() => this.#markUnreachable(limit), { repeatable: true })
    for (const one of changes) this.#deps.onChanged(one)
    return changes.length
  }

  /** The rings of all calls that ring any of these users now, as their devices are told of them. */
  async ringsOf(userIds: string[]): Promise<CallRinging[]> {
    const calls = await withRetries(() => this.#deps.store.findRingingAt(userIds), { repeatable: true })
    return calls.map((call) => callRinging(call, this.#deps.groups, call.readAt))
  }

  async #markRinging(callId: string, userId: string): Promise<Change | undefined> {
    const { rows } = await this.#deps.db.raw<{ rows: ChangeRow[] }>(
      `WITH ${CLOCK}, moved AS (
         UPDATE calls SET version = version + 1, ringing_at = greatest(clock.at, created_at, unreachable_at)
         FROM clock WHERE calls.id = :callId AND callee_id = :userId AND ${STILL_RINGS}
         RETURNING calls.*), ${this.#webhooks.tell("'call.ringing'")} ${TOLD('call-changed')}`,
      { callId, userId, ...this.#webhooks.bindings },
    )
    return rows.map(change)[0]
  }

  async #markUnreachable(limit: number): Promise<Change[]> {
    const guard = `${STILL_RINGS} AND unreachable_at IS NULL AND receipt_due_at <= clock.at`
    const { rows } = await this.#deps.db.raw<{ rows: ChangeRow[] }>(
      `WITH ${CLOCK}, picked AS (
         SELECT calls.id FROM calls CROSS JOIN clock WHERE ${guard}
         ORDER BY receipt_due_at LIMIT :limit FOR UPDATE OF calls SKIP LOCKED),
       moved AS (
         UPDATE calls SET version = version + 1, unreachable_at = clock.at
         FROM clock CROSS JOIN picked WHERE calls.id = picked.id AND ${guard}
         RETURNING calls.*), ${TOLD('call-changed')}`,
      { limit },
    )
    return rows.map(change)
  }
}
