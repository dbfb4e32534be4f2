// A hundred thousand rings that end in the same second, three workers, one of which is killed in the middle of it.
import { Client } from 'pg'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { failuresOf, type HttpCall, HttpLoad, summarise } from '../load/http-load.ts'
import { sleep } from '../load/waiting.ts'
import { beginShares } from '../measure/process-shares.ts'
import type { Trial, TrialStage } from './trial.ts'
import { newUser } from './users.ts'

const WORKERS = 3
/** What the API is asked meanwhile. */
const REQUESTS_PER_SECOND = 50
/** Between the last row written and the second in which all of them end. */
const LEAD_MS = 4_000
const LOOK_MS = 200

export const EXPIRY: Trial = {
  name: 'expiry',
  title: 'Calls that expire in the same second',
  about: [
    'Rings with one and the same deadline are written into Postgres; three workers end them, and one worker is killed with a third of them done.',
    `Meanwhile the API gets ${REQUESTS_PER_SECOND} requests a second through the edge: calls are made and ended, others are looked at.`,
    'Ended once: one event and two history entries a call, and both users are free.',
  ],
  deadlineSeconds: { smoke: 60, short: 150, full: 300 },

  async run(stage) {
    const cluster = await stage.cluster({ gateways: 2, workers: WORKERS })
    const calls = stage.pick({ smoke: 300, short: 20_000, full: 100_000 })
    const client = new Client({ connectionString: cluster.description.postgres.url })
    await client.connect()
    const http = new HttpLoad(cluster.url)
    try {
      const writtenAt = performance.now()
      await client.query(INVENT_RINGS.replace('$1', String(calls)))
      await client.query(WRITE_RINGS, [calls / 10 + LEAD_MS])
      await client.query('ANALYZE calls, live_participants')
      stage.say(`  ${calls} rings written in ${((performance.now() - writtenAt) / 1000).toFixed(1)} s`)
      const begun = new AbortController()
      const traffic = askMeanwhile(http, cluster, stage, begun.signal)
      await waitFor(
        client,
        `SELECT clock_timestamp() >= ring_expires_at AS yes FROM loadtest_rings JOIN calls USING (id) LIMIT 1`,
        stage,
      )
      const look = beginShares(cluster)
      await waitFor(
        client,
        `SELECT (SELECT count(*) FROM outbox WHERE kind = 'call-changed') >= ${calls / 3} AS yes`,
        stage,
      )
      await cluster.kill('worker-2', 'SIGKILL')
      stage.say('  worker-2 is killed')
      const stop = stage.follow(() => 'they end')
      await waitFor(client, ALL_TOLD, stage)
      stop()
      const { shares } = look()
      begun.abort()
      const window = await traffic
      const { rows } = await client.query<Aftermath>(AFTERMATH)
      const [after] = rows
      if (after === undefined) throw new Error('Nothing was counted')
      return {
        figures: [
          { what: 'calls that expired', value: calls, unit: '', digits: 0 },
          { what: 'from the deadline until the last was ended', value: after.ended, unit: ' s', limit: 60 },
          { what: 'from the deadline until the last was told', value: after.told, unit: ' s', limit: 60 },
          { what: 'calls not ended, or not with one event', value: after.wrong, unit: '', limit: 0, digits: 0 },
          {
            what: 'history entries missing or too many',
            value: Math.abs(after.entries - 2 * calls),
            unit: '',
            limit: 0,
            digits: 0,
          },
          { what: 'users not free', value: after.held, unit: '', limit: 0, digits: 0 },
          { what: 'API meanwhile: p50', value: window.p50, unit: ' ms' },
          { what: 'API meanwhile: p99', value: window.p99, unit: ' ms', limit: 200 },
          { what: 'API meanwhile: requests failed', value: failuresOf(window), unit: '', limit: 0, digits: 0 },
        ],
        notes: [
          `The API answered ${window.count} requests, ${Object.entries(window.statuses)
            .map(([status, count]) => `${count} with ${status}`)
            .join(', ')}.`,
        ],
        shares,
      }
    } finally {
      http.close()
      await client.end()
    }
  },
}

/** Calls that are made and ended, and looks at calls, until `done`. */
async function askMeanwhile(http: HttpLoad, cluster: Cluster, stage: TrialStage, done: AbortSignal) {
  const made: { id: string; token: string }[] = []
  let at = 0
  const next = (): HttpCall => {
    at += 1
    const call = made[at % Math.max(1, made.length)]
    if (at % 4 === 1 || call === undefined) {
      const [caller, callee] = [newUser(cluster), newUser(cluster)]
      const body = { caller_id: caller.id, callee_id: callee.id, call_type: 'voice' }
      return { method: 'POST', path: '/calls/initiate', token: caller.token, body }
    }
    const end = at % 4 === 2 ? made.shift() : undefined
    if (end !== undefined) return { method: 'DELETE', path: `/calls/${end.id}`, token: end.token }
    return { method: 'GET', path: `/calls/${call.id}/status`, token: call.token }
  }
  const windows: { ms: number; status: number }[] = []
  while (!done.aborted && !stage.signal.aborted) {
    await http.open(
      { ratePerSecond: REQUESTS_PER_SECOND, ms: 1_000, seed: at + 1 },
      next,
      (call, { status, text, ms }) => {
        windows.push({ ms, status })
        if (status === 201) made.push({ id: (JSON.parse(text) as { call_id: string }).call_id, token: call.token })
      },
    )
  }
  return summarise(windows)
}

async function waitFor(client: Client, question: string, { signal }: TrialStage): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    const { rows } = await client.query<{ yes: boolean }>(question)
    if (rows[0]?.yes) return
    await sleep(LOOK_MS)
  }
}

// Users without any other call.
const INVENT_RINGS = `
  CREATE TABLE loadtest_rings AS
  SELECT gen_random_uuid() AS id, gen_random_uuid() AS caller, gen_random_uuid() AS callee FROM generate_series(1, $1)`

// As an initiate writes them, and the sweep that found nobody's device to ring.
const WRITE_RINGS = `
  WITH ends AS (
    SELECT date_trunc('milliseconds', clock_timestamp()) AS now,
           date_trunc('milliseconds', clock_timestamp() + $1 * interval '1 millisecond') AS at),
  held AS (
    INSERT INTO live_participants (user_id, call_id)
    SELECT side, id FROM loadtest_rings CROSS JOIN LATERAL (VALUES (caller), (callee)) AS sides (side))
  INSERT INTO calls (id, status, call_type, caller_id, callee_id, created_at, ring_expires_at, deadline_at, version,
                     receipt_due_at, unreachable_at)
  SELECT id, 'connecting', 'voice', caller, callee, now, at, at, 2, now, now FROM loadtest_rings CROSS JOIN ends`

const ALL_TOLD = `
  SELECT NOT EXISTS (SELECT FROM loadtest_rings JOIN calls USING (id) WHERE ended_at IS NULL)
     AND NOT EXISTS (SELECT FROM outbox JOIN loadtest_rings ON loadtest_rings.id = call_id WHERE published_at IS NULL) AS yes`

interface Aftermath {
  ended: number
  told: number
  wrong: number
  entries: number
  held: number
}

const AFTERMATH = `
  WITH due AS (SELECT min(ring_expires_at) AS at FROM loadtest_rings JOIN calls USING (id)),
  events AS (
    SELECT calls.id, count(outbox.id) AS events, min(status) AS status, min(version) AS version,
           max(outbox.created_at) AS ended_at, max(published_at) AS told_at
    FROM loadtest_rings JOIN calls USING (id) LEFT JOIN outbox ON call_id = calls.id AND kind = 'call-changed' GROUP BY calls.id)
  SELECT extract(epoch FROM max(ended_at) - (SELECT at FROM due))::float8 AS ended,
         extract(epoch FROM max(told_at) - (SELECT at FROM due))::float8 AS told,
         count(*) FILTER (WHERE events <> 1 OR status <> 'ended' OR version <> 3 OR told_at IS NULL)::int AS wrong,
         (SELECT count(*) FROM call_participants JOIN loadtest_rings ON id = call_id)::int AS entries,
         (SELECT count(*) FROM live_participants JOIN loadtest_rings ON id = call_id)::int AS held
  FROM events`
