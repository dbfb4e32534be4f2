import type { Knex } from 'knex'

/** What is to be sent to webhook receivers: a row for each event and endpoint, written by the statement of the event. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    CREATE TABLE webhook_deliveries (
      -- Rises along the events of a call: each is written while its call's row is locked.
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      endpoint text NOT NULL,
      call_id uuid NOT NULL,
      type text NOT NULL,
      -- The row of the call just after the event; the body is made from it when it is sent.
      payload jsonb NOT NULL,
      created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
      state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
      attempts integer NOT NULL DEFAULT 0,
      -- While pending: when to look at it again. While somebody sends it: when his lease ends.
      due_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
      lease uuid,
      -- The first failure after this is the last.
      retry_until timestamptz(3) NOT NULL,
      settled_at timestamptz(3),
      last_outcome text,
      last_status integer,
      CHECK ((state = 'pending') = (settled_at IS NULL)),
      CHECK (lease IS NULL OR state = 'pending'),
      -- A call has each event once, however often it is reported; also finds what is ahead of an event.
      UNIQUE (endpoint, call_id, type)
    ) WITH (autovacuum_vacuum_scale_factor = 0.05)`)
  await db.raw(`CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint, due_at) WHERE state = 'pending'`)
  await db.raw(`
    CREATE INDEX webhook_deliveries_settled ON webhook_deliveries (state, settled_at, id) WHERE state <> 'pending'`)
}
