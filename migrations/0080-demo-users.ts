import type { Knex } from 'knex'

/** Who has signed in with nothing but a name, where DEMO_ENABLED allows it; empty everywhere else. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    CREATE TABLE demo_users (
      user_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      name text NOT NULL,
      -- The same for names that people take for one: without case and forms of letters.
      name_key text NOT NULL UNIQUE,
      signed_in_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
    );
    CREATE INDEX demo_users_latest ON demo_users (signed_in_at DESC)`)
}
