import type { Knex } from 'knex'

/** Keys that were answered with the 200 of a merge: their call is the one that the other user had made (on_glare). */
export async function up(db: Knex): Promise<void> {
  // A version that does not know it would replay such a key as a 201, while both run; it keeps none itself.
  await db.raw('ALTER TABLE idempotency_keys ADD COLUMN merged boolean NOT NULL DEFAULT false')
}
