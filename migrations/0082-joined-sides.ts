import type { Knex } from 'knex'

/**
 * Who has joined signaling: 1 the caller, 2 the callee, 3 both. The set-up limit runs until both have (decisions, "Call
 * state machine").
 */
export async function up(db: Knex): Promise<void> {
  // Adding a column with a constant default rewrites nothing.
  await db.raw('ALTER TABLE calls ADD COLUMN joined_sides smallint NOT NULL DEFAULT 0')
  // Of calls that go on while this runs nobody has noted it: they keep the limits under which they were joined.
  await db.raw(
    `UPDATE calls SET joined_sides = 3 WHERE status IN ('connecting', 'active') AND first_joined_at IS NOT NULL`,
  )
}
