/** Gathers all that is kept of one call, so that somebody can be told what happened. Reads Postgres alone. */
import type { Database } from '../platform/postgres.ts'
import { AppError } from '../protocol/errors.ts'
import { type CallDelivery, deliveriesOf } from '../webhooks/call-deliveries.ts'
import type { Call } from './call.ts'
import { type JournalEntry, readJournal } from './call-journal.ts'
import type { EventKind } from './call-messages.ts'
import { type CallRow, callFromRow } from './call-rows.ts'
import { withRetries } from './database-retry.ts'

/** An event of the outbox: the call just after a change, and when the gateways were told of it. */
export interface CallChangeEvent {
  kind: EventKind
  call: Call
  writtenAt: Date
  /** Null while it waits for Redis. */
  publishedAt: Date | null
}

export interface CallTimeline {
  call: Call
  /** Postgres' clock at the reading. */
  readAt: Date
  /** None where the call is older than what is kept (`OUTBOX_RETENTION_SECONDS`); the call itself is kept. */
  events: CallChangeEvent[]
  journal: JournalEntry[]
  deliveries: CallDelivery[]
}

/** @throws CALL_NOT_FOUND, SERVICE_UNAVAILABLE */
export async function readTimeline(db: Database, callId: string): Promise<CallTimeline> {
  const read = async () => {
    const [found, events, journal, deliveries] = await Promise.all([
      db.raw<{ rows: FoundRow[] }>('SELECT *, clock_timestamp() AS read_at FROM calls WHERE id = :callId', { callId }),
      db.raw<{ rows: EventRow[] }>(
        'SELECT kind, payload, created_at, published_at FROM outbox WHERE call_id = :callId ORDER BY id',
        { callId },
      ),
      readJournal(db, callId),
      deliveriesOf(db, callId),
    ])
    return { row: found.rows[0], events: events.rows.map(eventFromRow), journal, deliveries }
  }
  const { row, ...kept } = await withRetries(read, { repeatable: true })
  if (row === undefined) throw new AppError('CALL_NOT_FOUND')
  return { call: callFromRow(row), readAt: row.read_at, ...kept }
}

type FoundRow = CallRow & { read_at: Date }

interface EventRow {
  kind: EventKind
  payload: CallRow
  created_at: Date
  published_at: Date | null
}

function eventFromRow(row: EventRow): CallChangeEvent {
  return {
    kind: row.kind,
    call: callFromRow(row.payload),
    writtenAt: row.created_at,
    publishedAt: row.published_at,
  }
}
