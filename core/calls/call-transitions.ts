/**
 * The only file that writes the status of a call. Every change is one statement: the guarded update and all that
 * follows from it (who is free again, history, contacts, the event) happen together or not at all. Whoever finds a
 * call no longer in the state that the guard asks for gets nothing back, and somebody else has won.
 */
import type { Knex } from 'knex'
import type { Config } from '../platform/config.ts'
import type { Database } from '../platform/postgres.ts'
import { BOTH_JOINED } from '../protocol/occupancy.ts'
import type { CallType, EndReason } from '../protocol/signaling.ts'
import { WebhookQueue } from '../webhooks/enqueue.ts'
import type { Call } from './call.ts'
import { type CallRow, callFromRow } from './call-rows.ts'
import { after, type CallLimits, CLOCK, callLimits } from './call-sql.ts'
import { FINAL_WEBHOOK } from './call-webhooks.ts'
import type { IdempotencyKey, IdempotencyStore } from './idempotency-store.ts'
import { Refused } from './refused.ts'
import { type RingLimit, ringLimit, UNANSWERED_RINGS } from './unanswered-rings.ts'

/** A change that is committed, and the outbox row that tells of it. */
export interface Change {
  call: Call
  outboxId: string
}

export interface NewCall {
  id: string
  /** In which it is to live. */
  group: string
  callerId: string
  calleeId: string
  type: CallType
}

/** `lost`: somebody else has answered or ended the call, `known`: the key has a call. */
export type Merging = { kind: 'merged'; change: Change } | { kind: 'lost' | 'known' }

/** An arrow of the state machine that ends a call. */
export interface Ending {
  from: 'connecting' | 'active'
  to: 'ended' | 'failed'
  reason: EndReason
}

/**
 * Which calls to end. One call `id` is waited for if somebody else is just changing it; of several, those that
 * somebody else holds are left to him. `due` asks for a passed deadline; without it a call that is still connecting
 * must not be overdue. `peersLost` tells which limit of an active call has passed: the lost-peers limit, or that of the
 * set-up.
 */
export interface Pick {
  id?: string
  ids?: string[]
  limit?: number
  due: boolean
  peersLost?: boolean
}

/** In SQL: of the two limits of an active call that of the lost peers runs, or passes first. */
const PEERS_LOST = `(peers_gone_since IS NOT NULL AND (joined_sides = ${BOTH_JOINED} OR
  greatest(peers_gone_since, answered_at) + ${after('lostMs')} <= answered_at + ${after('setupMs')}))`

/** Ends a statement whose `moved` are changed calls: it writes the event of each, and returns what {@link change} reads. */
export const TOLD = (kind: string) => `
  told AS (INSERT INTO outbox (call_id, kind, payload) SELECT id, '${kind}', to_jsonb(moved) FROM moved
           RETURNING id, call_id)
  SELECT moved.*, told.id AS outbox_id FROM moved JOIN told ON told.call_id = moved.id`

export class CallTransitions {
  readonly #db: Database
  readonly #limits: CallLimits
  readonly #keys: IdempotencyStore
  readonly #rings: RingLimit
  readonly #webhooks: WebhookQueue

  constructor(db: Database, config: Config['calls'], keys: IdempotencyStore) {
    this.#db = db
    this.#webhooks = new WebhookQueue(config.webhooks)
    this.#limits = callLimits(config)
    this.#rings = ringLimit(config)
    this.#keys = keys
  }

  /**
   * Writes a call whose two users are claimed. Undefined where the caller has let the callee ring in vain too often:
   * the history is read after the claims, so that the call before this one is in it.
   */
  async insert(trx: Knex.Transaction, { id, group, callerId, calleeId, type }: NewCall): Promise<Change | undefined> {
    const { rows } = await trx.raw<{ rows: ChangeRow[] }>(
      `WITH ${CLOCK}, ${UNANSWERED_RINGS},
       allowed AS (SELECT FROM unanswered_rings HAVING count(*) < :ringsMax),
       moved AS (
         INSERT INTO calls (id, status, call_type, caller_id, callee_id, created_at, ring_expires_at, deadline_at,
                            receipt_due_at, call_group)
         SELECT CAST(:id AS uuid), 'connecting', :type, CAST(:callerId AS uuid), CAST(:calleeId AS uuid),
                at, at + ${after('ringMs')}, at + ${after('ringMs')}, at + ${after('receiptMs')}, :group
         FROM clock CROSS JOIN allowed
         RETURNING *), ${this.#webhooks.tell("'call.initiated'")} ${TOLD('call-ringing')}`,
      { id, group, type, callerId, calleeId, ...this.#limits, ...this.#rings, ...this.#webhooks.bindings },
    )
    return rows.map(change)[0]
  }

  /** connecting → active, unless the ring is overdue. Undefined where somebody else was faster. */
  answer(callId: string, deviceId: string | undefined): Promise<Change | undefined> {
    return this.#answerOn(this.#db, callId, deviceId)
  }

  /**
   * Answers a call in the name of an initiate of its callee, and keeps the key with it. Locks go from the key to the
   * call, and whoever holds a call never waits for a key.
   */
  async merge(callId: string, deviceId: string | undefined, key: IdempotencyKey | undefined): Promise<Merging> {
    try {
      const merged = await this.#db.transaction(async (trx) => {
        if (key !== undefined && !(await this.#keys.claim(trx, key, { callId, merged: true })))
          throw new Refused('known')
        const answered = await this.#answerOn(trx, callId, deviceId)
        if (answered === undefined) throw new Refused('lost')
        return answered
      })
      return { kind: 'merged', change: merged }
    } catch (error) {
      if (error instanceof Refused && (error.kind === 'known' || error.kind === 'lost')) return { kind: error.kind }
      throw error
    }
  }

  async #answerOn(db: Knex, callId: string, deviceId: string | undefined): Promise<Change | undefined> {
    const { rows } = await db.raw<{ rows: ChangeRow[] }>(
      `WITH ${CLOCK}, moved AS (
         UPDATE calls SET status = 'active', version = version + 1, answered_by_device = :device,
           answered_at = greatest(clock.at, created_at),
           deadline_at = least(
             CASE WHEN joined_sides <> ${BOTH_JOINED} THEN clock.at + ${after('setupMs')} END,
             CASE WHEN peers_gone_since IS NOT NULL
               THEN greatest(clock.at, peers_gone_since) + ${after('lostMs')} END)
         FROM clock
         WHERE calls.id = :callId AND status IN ('connecting') AND deadline_at > clock.at
         RETURNING calls.*),
       met AS (
         INSERT INTO contacts (user_id, contact_id)
         SELECT side.user_id, side.contact_id FROM moved CROSS JOIN LATERAL
           (VALUES (caller_id, callee_id), (callee_id, caller_id)) AS side (user_id, contact_id)
         ORDER BY 1, 2 ON CONFLICT DO NOTHING), ${this.#webhooks.tell("'call.answered'")} ${TOLD('call-changed')}`,
      { callId, device: deviceId ?? null, ...this.#limits, ...this.#webhooks.bindings },
    )
    return rows.map(change)[0]
  }

  /** Ends calls and returns those that this statement has ended; the others were ended by somebody else. */
  async finish({ from, to, reason }: Ending, pick: Pick, db: Knex = this.#db): Promise<Change[]> {
    const guards = [`status IN ('${from}')`]
    if (pick.id !== undefined) guards.push('calls.id = :id')
    if (pick.ids !== undefined) guards.push('calls.id = ANY (:ids)')
    if (pick.due) guards.push('deadline_at <= clock.at')
    else if (from === 'connecting') guards.push('deadline_at > clock.at')
    if (pick.peersLost !== undefined) guards.push(pick.peersLost ? PEERS_LOST : `NOT ${PEERS_LOST}`)
    const guard = guards.join(' AND ')
    const several = pick.id === undefined
    // What a limit ends is over since the limit passed, however late it is noticed.
    const endedAt = `greatest(${pick.due ? 'deadline_at' : 'clock.at'}, answered_at, created_at)`
    const picked = `picked AS (SELECT calls.id FROM calls CROSS JOIN clock WHERE ${guard}
      ORDER BY deadline_at LIMIT :limit FOR UPDATE OF calls SKIP LOCKED),`
    const { rows } = await db.raw<{ rows: ChangeRow[] }>(
      `WITH ${CLOCK}, ${several ? picked : ''} moved AS (
         UPDATE calls SET status = '${to}', version = version + 1, end_reason = '${reason}', deadline_at = NULL,
           ended_at = ${endedAt}
         FROM clock ${several ? 'CROSS JOIN picked WHERE calls.id = picked.id AND' : 'WHERE'} ${guard}
         RETURNING calls.*),
       sides AS (
         SELECT moved.*, side.user_id, side.role, side.other_user_id FROM moved CROSS JOIN LATERAL
           (VALUES (caller_id, 'caller', callee_id), (callee_id, 'callee', caller_id))
           AS side (user_id, role, other_user_id)),
       freed AS (
         DELETE FROM live_participants AS live USING sides
         WHERE live.user_id = sides.user_id AND live.call_id = sides.id),
       kept AS (
         INSERT INTO call_participants (user_id, started_at, call_id, role, call_type, status, other_user_id, ended_at,
                                        duration_seconds, end_reason)
         SELECT user_id, coalesce(answered_at, created_at), id, role, call_type,
                CASE WHEN status = 'failed' THEN 'failed' WHEN answered_at IS NULL THEN 'missed' ELSE 'completed' END,
                other_user_id, ended_at, coalesce(floor(extract(epoch FROM ended_at - answered_at)), 0)::int, end_reason
         FROM sides), ${this.#webhooks.tell(FINAL_WEBHOOK)} ${TOLD('call-changed')}`,
      {
        id: pick.id ?? null,
        ids: pick.ids ?? null,
        limit: pick.limit ?? pick.ids?.length ?? 1,
        ...this.#limits,
        ...this.#webhooks.bindings,
      },
    )
    return rows.map(change)
  }
}

export type ChangeRow = CallRow & { outbox_id: string }

export function change(row: ChangeRow): Change {
  return { call: callFromRow(row), outboxId: row.outbox_id }
}
