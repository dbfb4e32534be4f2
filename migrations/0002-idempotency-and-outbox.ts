import type { Knex } from 'knex'

/** The keys under which a call was made, and the events that must reach the gateways after the commit. */
export async function up(db: Knex): Promise<void> {
  // The call's id is enough to answer again: all that a 201 says of a call never changes.
  await db.raw(`
    CREATE TABLE idempotency_keys (
      user_id uuid NOT NULL,
      key text NOT NULL,
      body_hash text NOT NULL,
      call_id uuid NOT NULL,
      created_at timestamptz(3) NOT NULL,
      PRIMARY KEY (user_id, key)
    )`)
  await db.raw('CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at)')

  // payload: the row of the call just after the change; the message is made from it when it is published.
  await db.raw(`
    CREATE TABLE outbox (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      call_id uuid NOT NULL,
      kind text NOT NULL CHECK (kind IN ('call-ringing', 'call-changed')),
      payload jsonb NOT NULL,
      created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
      published_at timestamptz(3)
    ) WITH (autovacuum_vacuum_scale_factor = 0.05)`)
  await db.raw('CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL')
}
