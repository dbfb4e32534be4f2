/** What nobody asks for: counting what waits, giving up on endpoints that are gone, forgetting what is old. */
import type { Database } from '../platform/postgres.ts'

export interface Backlog {
  endpoint: string
  pending: number
  /** Age of the oldest event that was not delivered yet. */
  lagSeconds: number
  deadLetters: number
}

export class DeliveryUpkeep {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /** What waits and what is dead, per endpoint that has anything, configured or not. */
  async backlogs(): Promise<Backlog[]> {
    const { rows } = await this.#db.raw<{
      rows: { endpoint: string; pending: number; lag: number; dead: number }[]
    }>(
      `SELECT endpoint, sum(pending)::int AS pending, sum(dead)::int AS dead,
              greatest(0, coalesce(extract(epoch FROM statement_timestamp() - min(oldest)), 0))::float8 AS lag
       FROM (
         SELECT endpoint, count(*) AS pending, 0 AS dead, min(created_at) AS oldest
         FROM webhook_deliveries WHERE state = 'pending' GROUP BY endpoint
         UNION ALL
         SELECT endpoint, 0, count(*), NULL FROM webhook_deliveries WHERE state = 'dead' GROUP BY endpoint) AS counted
       GROUP BY endpoint`,
    )
    return rows.map(({ endpoint, pending, dead, lag }) => ({ endpoint, pending, lagSeconds: lag, deadLetters: dead }))
  }

  /** Makes dead letters of up to `limit` events whose time is over and whose endpoint is not configured any more. */
  async giveUpOnStrangers(configured: string[], limit: number): Promise<number> {
    const { rows } = await this.#db.raw<{ rows: unknown[] }>(
      `UPDATE webhook_deliveries SET state = 'dead', settled_at = statement_timestamp(), lease = NULL WHERE id IN (
         SELECT id FROM webhook_deliveries
         WHERE state = 'pending' AND endpoint <> ALL (:configured) AND retry_until <= statement_timestamp()
         LIMIT :limit FOR UPDATE SKIP LOCKED)
       RETURNING 1`,
      { configured, limit },
    )
    return rows.length
  }

  /** Removes up to `limit` deliveries that have been in this state for longer than the retention; returns how many. */
  async purge(state: 'delivered' | 'dead', retentionMs: number, limit: number): Promise<number> {
    const { rows } = await this.#db.raw<{ rows: unknown[] }>(
      `DELETE FROM webhook_deliveries WHERE id IN (
         SELECT id FROM webhook_deliveries
         WHERE state = :state
           AND settled_at <= statement_timestamp() - CAST(:retentionMs AS double precision) * interval '1 millisecond'
         ORDER BY settled_at LIMIT :limit FOR UPDATE SKIP LOCKED)
       RETURNING 1`,
      { state, retentionMs, limit },
    )
    return rows.length
  }
}
