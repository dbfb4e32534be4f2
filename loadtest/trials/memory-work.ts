// Work for an API and for a worker, in portions.
import type { Client } from 'pg'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import type { HttpLoad } from '../load/http-load.ts'
import { sleep } from '../load/waiting.ts'
import { newUser } from './users.ts'

const AT_ONCE = 16
const LOOK_MS = 100

/** A portion of lives of calls, each by new users; returns the number of requests. */
export async function useApi(http: HttpLoad, cluster: Cluster): Promise<number> {
  const lives = await Promise.all(Array.from({ length: AT_ONCE * 4 }, () => liveOnce(http, cluster)))
  return lives.reduce((sum, requests) => sum + requests, 0)
}

async function liveOnce(http: HttpLoad, cluster: Cluster): Promise<number> {
  const [caller, callee] = [newUser(cluster), newUser(cluster)]
  const { token } = caller
  await http.must({ method: 'PUT', path: '/presence/status', token: callee.token, body: { status: 'online' } })
  await http.must({ method: 'GET', path: `/presence/check/${callee.id}`, token })
  const body = { caller_id: caller.id, callee_id: callee.id, call_type: 'video' }
  const { call_id: id } = await http.must<{ call_id: string }>({ method: 'POST', path: '/calls/initiate', token, body })
  await http.must({ method: 'PUT', path: `/calls/${id}/answer`, token: callee.token, body: { user_id: callee.id } })
  await http.must({ method: 'GET', path: `/calls/${id}/status`, token })
  await http.must({ method: 'DELETE', path: `/calls/${id}`, token })
  await http.must({ method: 'GET', path: `/calls/user/${caller.id}/history`, token })
  return 7
}

/** What earlier work left connecting or active would be judged meanwhile. */
export async function endCalls(client: Client): Promise<void> {
  await client.query(`UPDATE calls SET deadline_at = clock_timestamp(), first_joined_at = coalesce(first_joined_at, created_at)
                      WHERE ended_at IS NULL`)
}

/** Rings that are overdue from the beginning; resolves when all are ended and told. */
export async function expireRings(client: Client, count: number, signal: AbortSignal): Promise<void> {
  await client.query(
    `WITH made AS (
       INSERT INTO calls (id, status, call_type, caller_id, callee_id, created_at, ring_expires_at, deadline_at)
       SELECT gen_random_uuid(), 'connecting', 'voice', gen_random_uuid(), gen_random_uuid(), at, at, at
       FROM (SELECT date_trunc('milliseconds', clock_timestamp()) AS at) AS clock, generate_series(1, $1)
       RETURNING id, caller_id, callee_id)
     INSERT INTO live_participants (user_id, call_id)
     SELECT side, id FROM made CROSS JOIN LATERAL (VALUES (caller_id), (callee_id)) AS sides (side)`,
    [count],
  )
  for (;;) {
    signal.throwIfAborted()
    const { rows } = await client.query<{ left: boolean }>(
      `SELECT EXISTS (SELECT FROM calls WHERE status = 'connecting') OR EXISTS (SELECT FROM outbox WHERE published_at IS NULL) AS left`,
    )
    if (!rows[0]?.left) return
    await sleep(LOOK_MS)
  }
}
