/**
 * Who sends what, and what became of it. Any number of processes may claim: a delivery is one claimant's until its
 * lease ends, and the events of a call go to an endpoint one after the other.
 */
import { randomUUID } from 'node:crypto'
import type { Database } from '../platform/postgres.ts'
import type { WebhookType } from '../protocol/webhooks.ts'
import type { Delivery, Settlement } from './delivery.ts'

/**
 * When a delivery is looked at again that stands behind another one of its call. Mostly it is freed before, by the end of
 * that one; the look is for an event that was written at the very moment of that end. Behind one that is just being sent
 * there are few, and the end is near. Behind one that still waits there may be very many, after an outage.
 */
const BEHIND_SENDING_MS = 200
const BEHIND_WAITING_MS = 60_000
/** A call has four events at most, so among five times as many rows there are enough first ones. */
const ROWS_PER_CLAIM = 5

/**
 * The pending deliveries of one call and endpoint. Written so that only the key of both fits as an index: where Postgres
 * has no statistics yet it would take the index of due times or of ids, and read every pending row for each.
 */
const OF_ONE_CALL = (alias: string, other: string, endpoint: string) =>
  `${alias}.endpoint = ${endpoint} AND ${alias}.call_id = ${other}.call_id AND ${alias}.settled_at IS NULL`

export interface Claim {
  deliveries: Delivery[]
  /** There may be more that is due and was not looked at. */
  more: boolean
}

export class DeliveryStore {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /**
   * Takes up to `limit` due deliveries of an endpoint for one attempt each, for `leaseMs`. One that stands behind an
   * earlier event of its call is not taken but put behind it: a long queue behind one that fails is not read each time.
   */
  async claim(endpoint: string, { limit, leaseMs }: { limit: number; leaseMs: number }): Promise<Claim> {
    const looked = limit * ROWS_PER_CLAIM
    const { rows } = await this.#db.raw<{ rows: ClaimRow[] }>(
      // The time of the statement: a volatile clock would keep Postgres from using the index of due times, and a row that
      // is freed after this statement has begun is not due for it, so what it has seen of the row ahead is still true.
      `WITH due AS MATERIALIZED (
         SELECT id, call_id, due_at FROM webhook_deliveries
         WHERE endpoint = :endpoint AND state = 'pending' AND due_at <= statement_timestamp()
         ORDER BY due_at, id LIMIT :looked FOR UPDATE SKIP LOCKED),
       placed AS (
         SELECT due.id, ahead.until, row_number() OVER (PARTITION BY ahead.until IS NULL ORDER BY due_at, due.id) AS place,
                count(*) OVER () AS looked
         FROM due LEFT JOIN LATERAL (
           SELECT CASE WHEN earlier.lease IS NULL
             THEN greatest(earlier.due_at, statement_timestamp() + interval '${BEHIND_WAITING_MS} milliseconds')
             ELSE statement_timestamp() + interval '${BEHIND_SENDING_MS} milliseconds' END AS until
           FROM webhook_deliveries AS earlier
           WHERE ${OF_ONE_CALL('earlier', 'due', ':endpoint')} AND earlier.id + 0 < due.id
           ORDER BY earlier.id + 0 LIMIT 1) AS ahead ON true)
       UPDATE webhook_deliveries AS delivery SET
         lease = CASE WHEN placed.until IS NULL THEN CAST(:lease AS uuid) END,
         attempts = attempts + CASE WHEN placed.until IS NULL THEN 1 ELSE 0 END,
         due_at = coalesce(placed.until,
           statement_timestamp() + CAST(:leaseMs AS double precision) * interval '1 millisecond')
       FROM placed WHERE delivery.id = placed.id AND (placed.until IS NOT NULL OR place <= :limit)
       RETURNING delivery.id, lease, call_id, type, payload, created_at, attempts, placed.looked::int,
                 statement_timestamp() AS claimed_at`,
      { endpoint, limit, looked, leaseMs, lease: randomUUID() },
    )
    const deliveries = rows.flatMap((row) => (row.lease === null ? [] : [deliveryFromRow(row, row.lease)]))
    return { deliveries, more: rows[0]?.looked === looked }
  }

  /**
   * Writes down what became of attempts and lets the next event of each call go where one is done with. What was claimed
   * by somebody else meanwhile is left alone. Returns the ids of those that are dead letters now.
   */
  async settle(settlements: Settlement[]): Promise<string[]> {
    const { rows } = await this.#db.raw<{ rows: { id: string; state: string }[] }>(
      `WITH verdict AS (
         SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:leases AS uuid[]), CAST(:kinds AS text[]),
           CAST(:delays AS double precision[]), CAST(:outcomes AS text[]), CAST(:statuses AS integer[]))
         AS verdict (id, lease, kind, delay_ms, outcome, status)),
       settled AS (
         UPDATE webhook_deliveries AS delivery SET
           state = CASE
             WHEN kind <> 'retry' THEN kind
             WHEN statement_timestamp() + delay_ms * interval '1 millisecond' > retry_until THEN 'dead'
             ELSE 'pending' END,
           settled_at = CASE
             WHEN kind <> 'retry' OR statement_timestamp() + delay_ms * interval '1 millisecond' > retry_until
             THEN statement_timestamp() END,
           due_at = statement_timestamp() + delay_ms * interval '1 millisecond',
           lease = NULL, last_outcome = outcome, last_status = verdict.status
         FROM verdict WHERE delivery.id = verdict.id AND delivery.lease = verdict.lease
         RETURNING delivery.id, endpoint, call_id, state),
       next AS (
         SELECT (SELECT later.id FROM webhook_deliveries AS later
                 WHERE ${OF_ONE_CALL('later', 'settled', 'settled.endpoint')} AND later.id + 0 > settled.id
                 ORDER BY later.id + 0 LIMIT 1) AS id
         FROM settled WHERE settled.state <> 'pending'),
       freed AS (
         UPDATE webhook_deliveries AS delivery SET due_at = statement_timestamp()
         FROM next WHERE delivery.id = next.id AND delivery.state = 'pending' AND delivery.lease IS NULL)
       SELECT id, state FROM settled`,
      {
        ids: settlements.map(({ id }) => id),
        leases: settlements.map(({ lease }) => lease),
        kinds: settlements.map(({ verdict }) => verdict.kind),
        delays: settlements.map(({ verdict }) => (verdict.kind === 'retry' ? verdict.delayMs : 0)),
        outcomes: settlements.map(({ result }) => result.outcome),
        statuses: settlements.map(({ result }) => result.status ?? null),
      },
    )
    return rows.filter(({ state }) => state === 'dead').map(({ id }) => id)
  }

  /** Gives claims back that were never sent; their attempt does not count. */
  async release(claims: Pick<Delivery, 'id' | 'lease'>[]): Promise<void> {
    await this.#db.raw(
      `UPDATE webhook_deliveries AS delivery
       SET lease = NULL, due_at = statement_timestamp(), attempts = attempts - 1
       FROM unnest(CAST(:ids AS bigint[]), CAST(:leases AS uuid[])) AS claim (id, lease)
       WHERE delivery.id = claim.id AND delivery.lease = claim.lease`,
      { ids: claims.map(({ id }) => id), leases: claims.map(({ lease }) => lease) },
    )
  }
}

interface ClaimRow {
  id: string
  lease: string | null
  call_id: string
  type: WebhookType
  payload: unknown
  created_at: Date
  attempts: number
  looked: number
  claimed_at: Date
}

function deliveryFromRow(row: ClaimRow, lease: string): Delivery {
  return {
    id: row.id,
    lease,
    callId: row.call_id,
    type: row.type,
    payload: row.payload,
    createdAt: row.created_at,
    claimedAt: row.claimed_at,
    attempt: row.attempts,
  }
}
