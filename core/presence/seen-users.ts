/** Writes the time of a user's last connection to Postgres. The stored time never moves backwards. */
import type { Database } from '../platform/postgres.ts'

/** Users in one statement. */
const BATCH = 1000

/** An age instead of a time: the clocks of the processes need not agree. */
export interface SeenUser {
  userId: string
  /** How long ago, ms. */
  ageMs: number
}

/**
 * Stores each time that is later than the stored one. A user who has set `offline` keeps what is stored, so that
 * `last_seen` does not tell that they are there (decisions, "Presence").
 * @throws the database's own error; what came before it is written, and all may be written again
 */
export async function writeSeenUsers(db: Database, seen: readonly SeenUser[]): Promise<void> {
  for (let at = 0; at < seen.length; at += BATCH) {
    const batch = seen.slice(at, at + BATCH)
    // Sorted, so that two writers of the same users do not wait for each other.
    await db.raw(
      `INSERT INTO user_presence AS known (user_id, last_seen_at)
       SELECT user_id, clock_timestamp() - age_ms * interval '1 millisecond'
       FROM unnest(?::uuid[], ?::float8[]) AS seen (user_id, age_ms) ORDER BY user_id
       ON CONFLICT (user_id) DO UPDATE SET last_seen_at = excluded.last_seen_at
       WHERE NOT known.set_offline AND (known.last_seen_at IS NULL OR known.last_seen_at < excluded.last_seen_at)`,
      [batch.map(({ userId }) => userId), batch.map(({ ageMs }) => ageMs)],
    )
  }
}
