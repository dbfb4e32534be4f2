/**
 * Under which key a call was made, or answered by a merge. A key is claimed in the transaction that does it, so only a
 * 201 and the 200 of a merge are kept.
 */
import type { Knex } from 'knex'
import { AppError } from '../protocol/errors.ts'

export interface IdempotencyKey {
  /** Whose token sent the key. */
  userId: string
  key: string
  /** Distinguishes bodies; the same key with another one is a CONFLICT. */
  bodyHash: string
}

/** What a key stands for. */
export interface KeptAnswer {
  callId: string
  /** The call is the other user's, and was answered. */
  merged: boolean
}

export class IdempotencyStore {
  readonly #retentionMs: number

  constructor(retentionMs: number) {
    this.#retentionMs = retentionMs
  }

  /**
   * What the key was answered with, or undefined for a key that is new or older than the retention.
   * @throws CONFLICT where the key was used with another body
   */
  async find(db: Knex, { userId, key, bodyHash }: IdempotencyKey): Promise<KeptAnswer | undefined> {
    const { rows } = await db.raw<{ rows: { body_hash: string; call_id: string; merged: boolean }[] }>(
      `SELECT body_hash, call_id, merged FROM idempotency_keys
       WHERE user_id = :userId AND key = :key
         AND created_at > clock_timestamp() - CAST(:retentionMs AS double precision) * interval '1 millisecond'`,
      { userId, key, retentionMs: this.#retentionMs },
    )
    const found = rows[0]
    if (found !== undefined && found.body_hash !== bodyHash)
      throw new AppError('CONFLICT', 'The Idempotency-Key was already used with another body')
    return found === undefined ? undefined : { callId: found.call_id, merged: found.merged }
  }

  /**
   * Claims the key for a call about to be made or merged into; false if another call has it. A concurrent twin waits here until the
   * first transaction is over, and then finds the call or the key free.
   */
  async claim(trx: Knex.Transaction, { userId, key, bodyHash }: IdempotencyKey, answer: KeptAnswer): Promise<boolean> {
    const { rows } = await trx.raw<{ rows: unknown[] }>(
      `INSERT INTO idempotency_keys AS known (user_id, key, body_hash, call_id, merged, created_at)
       VALUES (:userId, :key, :bodyHash, :callId, :merged, clock_timestamp())
       ON CONFLICT (user_id, key) DO UPDATE
         SET body_hash = excluded.body_hash, call_id = excluded.call_id, merged = excluded.merged,
             created_at = excluded.created_at
         WHERE known.created_at
               <= clock_timestamp() - CAST(:retentionMs AS double precision) * interval '1 millisecond'
       RETURNING call_id`,
      { userId, key, bodyHash, ...answer, retentionMs: this.#retentionMs },
    )
    return rows.length === 1
  }

  /** Removes up to `limit` keys that count as absent; returns how many. */
  async purge(db: Knex, limit: number): Promise<number> {
    const { rows } = await db.raw<{ rows: unknown[] }>(
      `DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM idempotency_keys
         WHERE created_at <= clock_timestamp() - CAST(:retentionMs AS double precision) * interval '1 millisecond'
         ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED))
       RETURNING 1`,
      { retentionMs: this.#retentionMs, limit },
    )
    return rows.length
  }
}
