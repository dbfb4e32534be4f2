// A history of millions of calls, written by Postgres itself. It stays in the checkout's ignored data folder: a run that
// was cut short goes on where it was, and the next one finds it ready.
import { mkdirSync, statfsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Client } from 'pg'

/** Calls written by one statement. */
const CHUNK = 500_000
/** Rows and indexes of one call, both sides, with room to build the indexes. */
const BYTES_PER_CALL = 900
/** The user of many calls, and how many. */
export const HEAVY_USER = '00000000-0000-4000-8000-000000000001'
export const HEAVY_CALLS = 50_000
/** Everybody else. */
const OTHER_USERS = 1_000_000

/** Where a history of so many calls lives: a run folder of a cluster. @throws where the disk has no room for it */
export function historyFolder(calls: number): string {
  const data = join(dirname(dirname(import.meta.dirname)), '.data')
  mkdirSync(data, { recursive: true })
  const { bavail, bsize } = statfsSync(data)
  const missing = calls * BYTES_PER_CALL - bavail * bsize
  if (missing > 0) throw new Error(`The history needs ${Math.ceil(missing / 2 ** 30)} GiB more of disk`)
  return join(data, `history-${calls}`)
}

/** One of the other users, by number. */
export function otherUser(number: number): string {
  return `00000000-0000-4000-9000-${number.toString(16).padStart(12, '0')}`
}

/** Completes the history. What is there already is kept. */
export async function fillHistory(
  url: string,
  calls: number,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    // A vacuum marks pages as visible only where their commits are flushed, and this server flushes when it likes; without
    // the marks the planner reads millions of rows where the product's indexes would do.
    await client.query('SET synchronous_commit = on')
    await client.query('CREATE TABLE IF NOT EXISTS loadtest_history (chunk integer PRIMARY KEY)')
    const { rows } = await client.query<{ chunk: number }>('SELECT chunk FROM loadtest_history')
    const done = new Set(rows.map(({ chunk }) => chunk))
    if (done.has(READY)) return say('  the history is there already')
    // Indexes are built at the end: sorting once is several times faster than inserting in random order.
    await client.query('ALTER TABLE call_participants DROP CONSTRAINT IF EXISTS call_participants_history')
    await client.query('DROP INDEX IF EXISTS call_participants_counts')
    const chunks = Math.ceil(calls / CHUNK)
    for (let chunk = 0; chunk < chunks; chunk++) {
      if (done.has(chunk)) continue
      signal.throwIfAborted()
      const first = chunk * CHUNK + 1
      await client.query('BEGIN')
      await client.query(WRITE_CHUNK, [
        first,
        Math.min(calls, first + CHUNK - 1),
        Math.max(1, Math.floor(calls / HEAVY_CALLS)),
      ])
      await client.query('INSERT INTO loadtest_history VALUES ($1)', [chunk])
      await client.query('COMMIT')
      say(`  ${Math.min(calls, first + CHUNK - 1)} of ${calls} calls are written`)
    }
    say('  building the indexes')
    await client.query(`SET maintenance_work_mem = '1GB'`)
    await client.query(`
      ALTER TABLE call_participants ADD CONSTRAINT call_participants_history PRIMARY KEY (user_id, started_at, call_id)
        INCLUDE (call_type, status, role, other_user_id, ended_at, duration_seconds, end_reason)`)
    await client.query('CREATE INDEX call_participants_counts ON call_participants (user_id, call_type, status)')
    say('  vacuuming, as autovacuum would')
    await client.query('VACUUM (ANALYZE) call_participants')
    await client.query('INSERT INTO loadtest_history VALUES ($1)', [READY])
  } finally {
    await client.end()
  }
}

/** Stands for all chunks, indexes and the vacuum. */
const READY = -1

// Two rows a call, as its end writes them. Every so many calls one is the heavy user's, so that they lie as far apart as
// those of a user who calls every day. Multiplying by a large prime spreads the others, and types and outcomes, evenly.
const WRITE_CHUNK = `
  WITH made AS (
    SELECT number, md5('call ' || number)::uuid AS id,
           timestamptz '2023-01-01' + number * interval '9 seconds' AS started_at,
           CASE WHEN number % 3 = 0 THEN 'voice' ELSE 'video' END AS call_type,
           CASE WHEN number * 7919 % 10 < 7 THEN 'completed' WHEN number * 7919 % 10 < 9 THEN 'missed' ELSE 'failed' END AS status,
           CASE WHEN number % $3 = 0 AND number / $3 <= ${HEAVY_CALLS} THEN '${HEAVY_USER}'::uuid ELSE
             ('00000000-0000-4000-9000-' || lpad(to_hex(number * 104729 % ${OTHER_USERS}), 12, '0'))::uuid END AS a,
           ('00000000-0000-4000-9000-' || lpad(to_hex((number * 130363 + 7) % ${OTHER_USERS}), 12, '0'))::uuid AS b,
           (number * 31 % 900)::int AS seconds
    FROM generate_series($1::bigint, $2::bigint) AS number)
  INSERT INTO call_participants (user_id, started_at, call_id, role, call_type, status, other_user_id, ended_at,
                                 duration_seconds, end_reason)
  SELECT side.me, started_at, id, side.role, call_type, status, side.other, started_at + seconds * interval '1 second',
         CASE WHEN status = 'completed' THEN seconds ELSE 0 END,
         CASE status WHEN 'completed' THEN 'hangup' WHEN 'missed' THEN 'no_answer' ELSE 'connection_failed' END
  FROM made CROSS JOIN LATERAL (VALUES (a, 'caller', b), (b, 'callee', a)) AS side (me, role, other)
  WHERE a <> b`
