import type { Knex } from 'knex'

/** What explains a call afterwards: what gateways saw of it, and its events by call. */
export async function up(db: Knex): Promise<void> {
  // No message, candidate or address: who came and went, what was exchanged by kind, what clients reported.
  await db.raw(`
    CREATE TABLE call_journal (
      -- Rises with the time of writing, so the oldest are found without another index.
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      call_id uuid NOT NULL,
      at timestamptz(3) NOT NULL,
      kind text NOT NULL,
      role text CHECK (role IN ('caller', 'callee')),
      node text,
      transport text,
      device text,
      detail text,
      candidates integer
    )`)
  await db.raw('CREATE INDEX call_journal_call ON call_journal (call_id)')
  await db.raw('CREATE INDEX outbox_call ON outbox (call_id)')
}
