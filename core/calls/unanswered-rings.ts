/**
 * How often a caller has let one callee ring in vain of late, read from the history: a limit that protects the callee
 * must outlive Redis. Canceled, declined and failed rings count alike, or a caller would choose what does not count. A call
 * between the two that was answered, whoever made it, resets the count.
 */
import type { Knex } from 'knex'
import type { Config } from '../platform/config.ts'
import { AppError } from '../protocol/errors.ts'
import { CLOCK } from './call-sql.ts'

/** Bindings of {@link UNANSWERED_RINGS}. */
export interface RingLimit {
  ringsMax: number
  ringsWindowMs: number
}

export function ringLimit(config: Config['calls']): RingLimit {
  return { ringsMax: config.unansweredRingsMax, ringsWindowMs: config.unansweredRingsWindowMs }
}

const WINDOW = `CAST(:ringsWindowMs AS double precision) * interval '1 millisecond'`

/** Two pieces of a WITH after the clock: the rings of `:callerId` at `:calleeId` that count. The rows of one user's last minutes. */
export const UNANSWERED_RINGS = `past_rings AS (
    SELECT calls.created_at, calls.answered_at, calls.caller_id
    FROM clock CROSS JOIN call_participants AS past JOIN calls ON calls.id = past.call_id
    WHERE past.user_id = :callerId AND past.started_at > clock.at - ${WINDOW} AND past.other_user_id = :calleeId),
  unanswered_rings AS (
    SELECT created_at FROM past_rings
    WHERE caller_id = :callerId AND answered_at IS NULL
      AND created_at > coalesce((SELECT max(answered_at) FROM past_rings), '-infinity'))`

/** The refusal of one ring too many; it says when enough of the others no longer count. */
export async function tooManyRings(
  trx: Knex.Transaction,
  { callerId, calleeId }: { callerId: string; calleeId: string },
  limit: RingLimit,
): Promise<AppError> {
  const { rows } = await trx.raw<{ rows: { ms: number }[] }>(
    `WITH ${CLOCK}, ${UNANSWERED_RINGS}
     SELECT (extract(epoch FROM created_at + ${WINDOW} - clock.at) * 1000)::double precision AS ms
     FROM unanswered_rings CROSS JOIN clock ORDER BY created_at DESC OFFSET :ringsMax - 1 LIMIT 1`,
    { callerId, calleeId, ...limit },
  )
  const seconds = Math.max(1, Math.ceil((rows[0]?.ms ?? 0) / 1000))
  return new AppError('RATE_LIMITED', 'Too many of your calls to this user were not answered', {
    details: { limit: limit.ringsMax, retry_after_seconds: seconds },
  })
}
