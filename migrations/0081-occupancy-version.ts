import type { Knex } from 'knex'

/** Which change of the room between somebody and nobody `first_joined_at` and `peers_gone_since` say. */
export async function up(db: Knex): Promise<void> {
  // Adding a column with a constant default rewrites nothing. A version that does not know it marks without an order.
  await db.raw('ALTER TABLE calls ADD COLUMN occupancy_version bigint NOT NULL DEFAULT 0')
}
