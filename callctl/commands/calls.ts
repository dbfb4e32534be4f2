/** `callctl calls` */
import { type Call, durationSeconds, roleOf, startedAt } from '../../core/calls/call.ts'
import { CallStore, type StoredCall } from '../../core/calls/call-store.ts'
import { withRetries } from '../../core/calls/database-retry.ts'
import { type HistoryPage, readHistory } from '../../core/calls/history-store.ts'
import { onlyPositional, readNumber, readOneOf, readText, readUuid } from '../arguments.ts'
import type { Command } from '../command.ts'
import { duration, table } from '../table.ts'

export const calls: Command = {
  name: 'calls',
  usage: 'calls <user>',
  summary: 'the live call and the history of a user',
  help: 'The newest first. Looks and changes nothing: a call that is overdue is shown as it is written. Needs Postgres.',
  options: {
    limit: { type: 'string', about: 'entries of the history, 1 to 200, 20 by default' },
    status: { type: 'string', about: 'completed, failed or missed alone' },
    type: { type: 'string', about: 'voice or video alone' },
    cursor: { type: 'string', about: 'the next page, from the end of the one before' },
  },
  async run(input, stores) {
    const userId = readUuid(onlyPositional(input, 'user'), 'The user')
    const query = {
      limit: readNumber(input, 'limit', { min: 1, max: 200, fallback: 20 }),
      offset: 0,
      status: readOneOf(input, 'status', ['completed', 'failed', 'missed'] as const),
      callType: readOneOf(input, 'type', ['voice', 'video'] as const),
      cursor: readText(input, 'cursor'),
    }
    const store = new CallStore(stores.db, stores.config.calls)
    const live = await withRetries(() => store.findLiveOf([userId]), { repeatable: true })
    const history = await withRetries(() => readHistory(stores.db, userId, query), { repeatable: true })
    const json = {
      user_id: userId,
      live: live.map((call) => presentLive(call, userId)),
      history: history.entries.map(presentEntry),
      pagination: { total: history.total, has_more: history.hasMore, next_cursor: history.nextCursor ?? null },
    }
    return { json, text: textOf(live, history, userId) }
  },
}

function textOf(live: StoredCall[], history: HistoryPage, userId: string): string {
  const liveTable = table(live, [
    { title: 'LIVE CALL', value: (call) => call.id },
    { title: 'STATUS', value: (call) => (call.overdue ? `${call.status} (overdue)` : call.status) },
    { title: 'TYPE', value: (call) => call.type },
    { title: 'ROLE', value: (call) => roleOf(call, userId) },
    { title: 'OTHER', value: (call) => otherOf(call, userId) },
    { title: 'CREATED', value: (call) => call.createdAt.toISOString() },
    { title: 'TALKING', value: (call) => call.answeredAt && duration(durationSeconds(call, call.readAt)) },
  ])
  const historyTable = table(history.entries, [
    { title: 'CALL', value: (entry) => entry.callId },
    { title: 'STATUS', value: (entry) => entry.status },
    { title: 'TYPE', value: (entry) => entry.type },
    { title: 'ROLE', value: (entry) => entry.role },
    { title: 'OTHER', value: (entry) => entry.otherUserId },
    { title: 'STARTED', value: (entry) => entry.startedAt.toISOString() },
    { title: 'TALKED', value: (entry) => duration(entry.durationSeconds) },
    { title: 'REASON', value: (entry) => entry.endReason },
  ])
  const shown = `${history.entries.length} of ${history.total} in the history`
  const next = history.nextCursor === undefined ? '' : `; go on with --cursor ${history.nextCursor}`
  return [
    live.length === 0 ? 'no live call' : liveTable,
    '',
    ...(history.entries.length === 0 ? [] : [historyTable]),
    shown + next,
  ].join('\n')
}

function presentLive(call: StoredCall, userId: string) {
  return {
    call_id: call.id,
    status: call.status,
    type: call.type,
    role: roleOf(call, userId) ?? null,
    other_user_id: otherOf(call, userId),
    created_at: call.createdAt.toISOString(),
    started_at: startedAt(call).toISOString(),
    duration: durationSeconds(call, call.readAt),
    overdue: call.overdue,
  }
}

function presentEntry(entry: HistoryPage['entries'][number]) {
  return {
    call_id: entry.callId,
    status: entry.status,
    type: entry.type,
    role: entry.role,
    other_user_id: entry.otherUserId,
    started_at: entry.startedAt.toISOString(),
    ended_at: entry.endedAt.toISOString(),
    duration: entry.durationSeconds,
    end_reason: entry.endReason,
  }
}

function otherOf(call: Call, userId: string): string {
  return call.callerId === userId ? call.calleeId : call.callerId
}
