/** One page of a user's history. */
import { type Call, historyStatus } from '../calls/call.ts'
import { invalidField } from '../errors.ts'
import { historyEntry, type View } from './answers.ts'

export interface HistoryFilter {
  limit: number
  offset: number
  type: string | undefined
  status: string | undefined
  /** The id of the last call of the page before, encoded. */
  cursor: string | undefined
}

/** @param calls newest first */
export function historyPage(calls: readonly Call[], filter: HistoryFilter, view: View) {
  const { limit, type, status, cursor } = filter
  const passing = calls.filter(
    (call) => (type === undefined || call.type === type) && (status === undefined || historyStatus(call) === status),
  )
  const offset = cursor === undefined ? filter.offset : placeAfter(passing, cursor)
  const page = passing.slice(offset, offset + limit)
  const hasMore = offset + page.length < passing.length
  const last = page.at(-1)
  return {
    calls: page.map((call) => historyEntry(call, view)),
    pagination: {
      limit,
      offset: cursor === undefined ? offset : 0,
      total: passing.length,
      has_more: hasMore,
      ...(hasMore && last !== undefined ? { next_cursor: Buffer.from(last.id).toString('base64url') } : {}),
    },
  }
}

function placeAfter(calls: readonly Call[], cursor: string): number {
  const id = Buffer.from(cursor, 'base64url').toString()
  const index = calls.findIndex((call) => call.id === id)
  if (index < 0) throw invalidField('cursor', 'is none of ours')
  return index + 1
}
