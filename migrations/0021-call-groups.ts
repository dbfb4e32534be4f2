import type { Knex } from 'knex'

/** In which group of gateways a call lives; null where there was no choice when it was made, and so the first. */
export async function up(db: Knex): Promise<void> {
  // Adding a column without a default rewrites nothing. A version that does not know it leaves it null.
  await db.raw('ALTER TABLE calls ADD COLUMN call_group text')
}
