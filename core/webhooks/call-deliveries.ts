/** What became of the webhooks of one call, for whoever wants to explain it. */
import type { Database } from '../platform/postgres.ts'
import type { WebhookType } from '../protocol/webhooks.ts'
import type { Outcome } from './delivery.ts'

export interface CallDelivery {
  id: string
  endpoint: string
  type: WebhookType
  state: 'pending' | 'delivered' | 'dead'
  attempts: number
  createdAt: Date
  /** When it was delivered, or given up. */
  settledAt: Date | null
  lastOutcome: Outcome | null
  lastStatus: number | null
}

/** The deliveries of a call that are still kept, in the order in which their events were written. */
export async function deliveriesOf(db: Database, callId: string): Promise<CallDelivery[]> {
  const { rows } = await db.raw<{ rows: Row[] }>(
    // The endpoints one by one, by steps over the index that begins with them: a call's rows are found by it then, whatever
    // endpoints there are or were.
    `WITH RECURSIVE known AS (
       (SELECT endpoint FROM webhook_deliveries ORDER BY endpoint LIMIT 1)
       UNION ALL
       SELECT (SELECT next.endpoint FROM webhook_deliveries AS next WHERE next.endpoint > known.endpoint
               ORDER BY next.endpoint LIMIT 1)
       FROM known WHERE known.endpoint IS NOT NULL)
     SELECT delivery.* FROM known JOIN webhook_deliveries AS delivery
       ON delivery.endpoint = known.endpoint AND delivery.call_id = :callId
     ORDER BY delivery.id`,
    { callId },
  )
  return rows.map((row) => ({
    id: row.id,
    endpoint: row.endpoint,
    type: row.type,
    state: row.state,
    attempts: row.attempts,
    createdAt: row.created_at,
    settledAt: row.settled_at,
    lastOutcome: row.last_outcome,
    lastStatus: row.last_status,
  }))
}

interface Row {
  id: string
  endpoint: string
  type: WebhookType
  state: CallDelivery['state']
  attempts: number
  created_at: Date
  settled_at: Date | null
  last_outcome: Outcome | null
  last_status: number | null
}
