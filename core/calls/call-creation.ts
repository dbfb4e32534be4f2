/**
 * The transaction that makes a call: the key, the one live call of each user, what rings the caller meanwhile, the call.
 *
 * Locks: a creation waits for others only while it inserts live participants, in the order of user ids, and before it
 * has deleted any. So a creation that declines claims its callee first, ends the ringing call next, and claims the
 * caller last, whose row it has just freed itself: nobody waits in a circle.
 */
import type { Knex } from 'knex'
import type { Database } from '../platform/postgres.ts'
import { AppError } from '../protocol/errors.ts'
import { endingOf } from './call-deadlines.ts'
import type { CallTransitions, Change, NewCall } from './call-transitions.ts'
import type { IdempotencyKey, IdempotencyStore } from './idempotency-store.ts'
import { Refused } from './refused.ts'
import { type RingLimit, tooManyRings } from './unanswered-rings.ts'

export interface WantedCall extends NewCall {
  idempotency?: IdempotencyKey
  /** A call that rings the caller now is declined, as busy, where this one can be made. */
  declinesRinging?: boolean
  /** A call of the callee to the caller is kept: the initiate answers it. */
  merges?: boolean
  /** True once nobody waits for the answer any more. */
  isAbandoned?(): boolean
}

export type Creation =
  | { kind: 'created'; change: Change; declined?: Change }
  /** See {@link Refused}. */
  | { kind: Refused['kind'] }

interface Dependencies {
  db: Database
  keys: IdempotencyStore
  transitions: CallTransitions
  rings: RingLimit
}

export class CallCreation {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /**
   * Makes a call, unless something stands against it; then nothing is kept, and nothing was declined.
   * @throws CONFLICT where the key was used with another body, RATE_LIMITED where too many rings went unanswered,
   *   SERVICE_UNAVAILABLE where the request is abandoned meanwhile
   */
  async create(call: WantedCall): Promise<Creation> {
    try {
      return { kind: 'created', ...(await this.#deps.db.transaction((trx) => this.#createIn(trx, call))) }
    } catch (error) {
      if (error instanceof Refused) return { kind: error.kind }
      throw error
    }
  }

  async #createIn(trx: Knex.Transaction, call: WantedCall): Promise<{ change: Change; declined?: Change }> {
    const { keys, transitions, rings } = this.#deps
    const { id, idempotency, callerId, calleeId } = call
    if (idempotency !== undefined && !(await keys.claim(trx, idempotency, { callId: id, merged: false })))
      throw new Refused('known')
    const declined = call.declinesRinging ? await this.#declineRinging(trx, call) : undefined
    await claim(trx, call, declined === undefined ? [callerId, calleeId] : declined.unclaimed)
    const change = await transitions.insert(trx, call)
    if (change === undefined) throw await tooManyRings(trx, call, rings)
    // A caller who was told that the call failed must not find themselves in it.
    if (call.isAbandoned?.()) throw new AppError('SERVICE_UNAVAILABLE')
    return { change, declined: declined?.change }
  }

  /** Undefined where nothing rings the caller. `unclaimed` are the users of the new call that are still to be claimed. */
  async #declineRinging(
    trx: Knex.Transaction,
    call: WantedCall,
  ): Promise<{ change: Change; unclaimed: string[] } | undefined> {
    const { callerId, calleeId } = call
    const { rows } = await trx.raw<{ rows: { id: string; caller_id: string }[] }>(
      `SELECT calls.id, calls.caller_id FROM live_participants AS live JOIN calls ON calls.id = live.call_id
       WHERE live.user_id = :callerId AND calls.callee_id = :callerId
         AND calls.status = 'connecting' AND calls.deadline_at > clock_timestamp()`,
      { callerId },
    )
    const ringing = rows[0]
    if (ringing === undefined) return undefined
    const callsBack = ringing.caller_id === calleeId
    if (callsBack && call.merges) return undefined
    if (!callsBack) await claim(trx, call, [calleeId])
    const ending = endingOf('connecting', 'busy', 'callee')
    const [change] = await this.#deps.transitions.finish(ending, { id: ringing.id, due: false }, trx)
    if (change === undefined) throw new Refused('lost')
    return { change, unclaimed: callsBack ? [callerId, calleeId] : [callerId] }
  }
}

/**
 * Claims the one live call of users, in the order of their ids by one statement: A calling B and B calling A wait for
 * each other in one direction only.
 */
async function claim(trx: Knex.Transaction, { id, calleeId }: NewCall, users: string[]): Promise<void> {
  const { rows } = await trx.raw<{ rows: { claimed: number; callee_offline: boolean }[] }>(
    `WITH claimed AS (
       INSERT INTO live_participants (user_id, call_id)
       SELECT user_id, CAST(:id AS uuid) FROM unnest(CAST(:users AS uuid[])) AS user_id ORDER BY user_id
       ON CONFLICT DO NOTHING RETURNING 1)
     SELECT (SELECT count(*) FROM claimed)::int AS claimed,
            coalesce((SELECT set_offline FROM user_presence WHERE user_id = :calleeId), false) AS callee_offline`,
    { id, users, calleeId },
  )
  if (rows[0]?.claimed !== users.length) throw new Refused('busy')
  if (rows[0].callee_offline) throw new Refused('offline')
}
