import type { Knex } from 'knex'

/** Whether a device of the callee really rings. */
export async function up(db: Knex): Promise<void> {
  // Each is one moment and never changes: receipt_due_at is written with the call, ringing_at by the first receipt,
  // unreachable_at once receipt_due_at has passed without one. A version that does not know them leaves them null.
  await db.raw(`
    ALTER TABLE calls
      ADD COLUMN receipt_due_at timestamptz(3),
      ADD COLUMN ringing_at timestamptz(3),
      ADD COLUMN unreachable_at timestamptz(3)`)
  // Holds the calls that wait for a receipt alone, so a look for those that are due costs nothing however many ring.
  await db.raw(`
    CREATE INDEX calls_receipt_due ON calls (receipt_due_at)
    WHERE status = 'connecting' AND ringing_at IS NULL AND unreachable_at IS NULL`)
}
