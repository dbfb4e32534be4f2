import type { Knex } from 'knex'

/** What of a user's presence outlives Redis. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    CREATE TABLE user_presence (
      user_id uuid PRIMARY KEY,
      set_offline boolean NOT NULL DEFAULT false,
      visibility text NOT NULL DEFAULT 'everyone' CHECK (visibility IN ('everyone', 'contacts', 'nobody')),
      last_seen_at timestamptz(3),
      -- Until when the user counts as online without any connection: set by a PUT of online, cleared by one of offline.
      online_until timestamptz(3),
      updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
    ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)`)
}
