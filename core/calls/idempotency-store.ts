/** Under which key a call was made. A key is claimed in the transaction that makes the call, so only a 201 is kept. */
import type { Knex } from 'knex'
import { AppError } from '../protocol/errors.ts'

export interface IdempotencyKey {
  /** Whose token sent the key. */
  userId: string
  key: string
  /** Distinguishes bodies; the same key with another one is a CONFLICT. */
  bodyHash: string
}

export class IdempotencyStore {
  readonly #retentionMs: number

  constructor(retentionMs: number) {
    this.#retentionMs = retentionMs
  }

  /**
   * The call that the key has made, or undefined for a key that is new or older than the retention.
   * @throws CONFLICT where the key was used with another body
   */
  async find(db: Knex, { userId, key, bodyHash }: IdempotencyKey): Promise<string | undefined> {
    const { rows } = await db.raw<{ rows: { body_hash: string; call_id: string }[] }>(
      `SELECT body_hash, call_id FROM idempotency_keys
       WHERE user_id = :userId AND key = :key
         AND created_at > clock_timestamp() - CAST(:retentionMs AS double precision) * interval '1 millisecond'`,
      { userId, key, retentionMs: this.#retentionMs },
    )
    const found = rows[0]
    if (found !== undefined && found.body_hash !== bodyHash)
      throw new AppError('CONFLICT', 'The Idempotency-Key was already used with another body')
    return found?.call_id
  }

  /**
   * Claims the key for a call about to be made; false if another call has it. A concurrent twin waits here until the
   * first transaction is over, and then finds the call or the key free.
   */
  async claim(trx: Knex.Transaction, { userId, key, bodyHash }: IdempotencyKey, callId: string): Promise<boolean> {
    const { rows } = await trx.raw<{ rows: unknown[] }>(
      `INSERT INTO idempotency_keys AS known (user_id, key, body_hash, call_id, created_at)
       VALUES (:userId, :key, :bodyHash, :callId, clock_timestamp())
       ON CONFLICT (user_id, key) DO UPDATE
         SET body_hash = excluded.body_hash, call_id = excluded.call_id, created_at = excluded.created_at
         WHERE known.created_at
               <= clock_timestamp() - CAST(:retentionMs AS double precision) * interval '1 millisecond'
       RETURNING call_id`,
      { userId, key, bodyHash, callId, retentionMs: this.#retentionMs },
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
