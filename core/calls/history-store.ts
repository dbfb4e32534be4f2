/** Pages, filters and counts of calls that are over. Everything comes from one covering index. */
import type { Database } from '../platform/postgres.ts'
import { AppError } from '../protocol/errors.ts'
import { parseUuid } from '../protocol/ids.ts'
import type { CallType, EndReason, ParticipantRole } from '../protocol/signaling.ts'
import type { HistoryEntry, HistoryStatus } from './call.ts'

export interface HistoryQuery {
  limit: number
  /** Entries to skip; ignored with a cursor. */
  offset: number
  /** `nextCursor` of the page before: pages without drift while new calls are added. */
  cursor?: string
  callType?: CallType
  status?: HistoryStatus
}

export interface HistoryPage {
  /** Newest first. */
  entries: HistoryEntry[]
  /** All entries that the filters let pass, counted in the same snapshot. */
  total: number
  hasMore: boolean
  nextCursor?: string
}

interface Row {
  total: number
  call_id: string | null
  started_at: Date
  call_type: CallType
  status: HistoryStatus
  role: ParticipantRole
  other_user_id: string
  ended_at: Date
  duration_seconds: number
  end_reason: EndReason
}

interface Cursor {
  startedAt: string
  callId: string
}

/** @throws INVALID_REQUEST for a cursor that is not one of ours */
export async function readHistory(db: Database, userId: string, query: HistoryQuery): Promise<HistoryPage> {
  const cursor = query.cursor === undefined ? undefined : decodeCursor(query.cursor)
  const filter = [
    'user_id = :userId',
    ...(query.callType === undefined ? [] : ['call_type = :callType']),
    ...(query.status === undefined ? [] : ['status = :status']),
  ].join(' AND ')
  const offset = cursor === undefined ? query.offset : 0
  const { rows } = await db.raw<{ rows: Row[] }>(
    `SELECT counted.total, page.* FROM (SELECT count(*)::int AS total FROM call_participants WHERE ${filter}) AS counted
     LEFT JOIN LATERAL (${pageOf(filter, { skips: offset > 0, goesOn: cursor !== undefined })}) AS page ON true
     ORDER BY page.started_at DESC, page.call_id DESC`,
    {
      userId,
      callType: query.callType ?? null,
      status: query.status ?? null,
      startedAt: cursor?.startedAt ?? null,
      callId: cursor?.callId ?? null,
      // One more than asked tells whether there are more.
      limit: query.limit + 1,
      offset,
    },
  )
  const found = rows.flatMap((row) => (row.call_id === null ? [] : [entryFromRow(row, row.call_id)]))
  const entries = found.slice(0, query.limit)
  const hasMore = found.length > query.limit
  const last = entries.at(-1)
  return {
    entries,
    total: rows[0]?.total ?? 0,
    hasMore,
    ...(hasMore && last !== undefined ? { nextCursor: encodeCursor(last) } : {}),
  }
}

/**
 * The statement of a page beside `counted`. Skipping is reading: what lies behind the middle is read from the old end, so
 * that no page reads more than half of a user's calls. The arm that is farther away is never executed.
 */
function pageOf(filter: string, { skips, goesOn }: { skips: boolean; goesOn: boolean }): string {
  const entries = `SELECT call_id, started_at, call_type, status, role, other_user_id, ended_at, duration_seconds, end_reason
       FROM call_participants WHERE ${filter}`
  const after = goesOn ? 'AND (started_at, call_id) < (:startedAt, :callId)' : ''
  if (!skips) return `${entries} ${after} ORDER BY started_at DESC, call_id DESC LIMIT :limit`
  const [limit, offset] = ['CAST(:limit AS bigint)', 'CAST(:offset AS bigint)']
  return `(${entries} AND 2 * ${offset} <= counted.total
        ORDER BY started_at DESC, call_id DESC LIMIT ${limit} OFFSET ${offset})
     UNION ALL
      (${entries} AND 2 * ${offset} > counted.total ORDER BY started_at, call_id
        LIMIT greatest(0, least(${limit}, counted.total - ${offset}))
        OFFSET greatest(0, counted.total - ${offset} - ${limit}))`
}

function entryFromRow(row: Row, callId: string): HistoryEntry {
  return {
    callId,
    type: row.call_type,
    status: row.status,
    role: row.role,
    otherUserId: row.other_user_id,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    durationSeconds: row.duration_seconds,
    endReason: row.end_reason,
  }
}

function encodeCursor(entry: HistoryEntry): string {
  return Buffer.from(`${entry.startedAt.toISOString()} ${entry.callId}`).toString('base64url')
}

function decodeCursor(text: string): Cursor {
  const [time, id, ...more] = Buffer.from(text, 'base64url').toString('utf8').split(' ')
  const startedAt = new Date(time ?? '')
  const callId = parseUuid(id)
  if (Number.isNaN(startedAt.getTime()) || callId === undefined || more.length > 0)
    throw new AppError('INVALID_REQUEST', 'The cursor is not valid', { details: { field: 'cursor' } })
  return { startedAt: startedAt.toISOString(), callId }
}
