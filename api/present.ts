/** The only place that shapes response bodies: snake_case, UTC in ISO 8601, whole seconds. */
import {
  type Call,
  durationSeconds,
  type HistoryEntry,
  isLive,
  ringStateOf,
  signalingUrl,
  startedAt,
} from '../core/calls/call.ts'
import type { StoredCall } from '../core/calls/call-store.ts'
import type { HistoryPage, HistoryQuery } from '../core/calls/history-store.ts'
import type { Confirmed } from '../core/calls/ring-receipts.ts'
import type { CallGroups } from '../core/platform/call-groups.ts'
import type { Presence, PresenceUpdate } from '../core/presence/presence-service.ts'
import type {
  ActiveCallsResponse,
  AnswerResponse,
  CallStatusResponse,
  DeadLettersResponse,
  DemoUser,
  EndResponse,
  HistoryResponse,
  InitiateResponse,
  MergedResponse,
  PresenceCheckResponse,
  PresenceResponse,
  PresenceUpdateResponse,
  RingingResponse,
} from '../core/protocol/http.ts'
import type { ConnectionStatus, ParticipantRole } from '../core/protocol/signaling.ts'
import { webhookEventId } from '../core/protocol/webhooks.ts'
import type { DeadLetterPage } from '../core/webhooks/dead-letters.ts'

/** `groups` come from the configuration, never from the request's Host: a caller must not steer the callee's token. */
export function presentInitiated(call: Call, groups: CallGroups): InitiateResponse {
  return {
    call_id: call.id,
    status: 'connecting',
    signaling_url: signalingUrl(groups, call),
    created_at: call.createdAt.toISOString(),
    expires_at: call.ringExpiresAt.toISOString(),
  }
}

/** Says what was true at the merge alone, so that a replay says the same. */
export function presentMerged(call: Call, groups: CallGroups): MergedResponse {
  return {
    call_id: call.id,
    status: 'active',
    role: 'callee',
    merged: true,
    call_type: call.type,
    signaling_url: signalingUrl(groups, call),
    created_at: call.createdAt.toISOString(),
  }
}

export function presentRinging({ call, serverTime }: Confirmed): RingingResponse {
  return {
    call_id: call.id,
    status: 'connecting',
    ring_state: 'ringing',
    expires_at: call.ringExpiresAt.toISOString(),
    server_time: serverTime.toISOString(),
  }
}

export function presentAnswered(call: Call): AnswerResponse {
  return { call_id: call.id, status: 'active', participants: participantsOf(call) }
}

export function presentEnded(call: Call): EndResponse {
  const { status, endedAt, endReason } = call
  if ((status !== 'ended' && status !== 'failed') || endedAt === null || endReason === null)
    throw new Error('Only a call that is over can be presented as ended')
  return {
    call_id: call.id,
    status,
    duration: durationSeconds(call, endedAt),
    ended_at: endedAt.toISOString(),
    end_reason: endReason,
  }
}

export type ConnectionStatuses = Partial<Record<ParticipantRole, ConnectionStatus>>

/** `connections` is undefined where the rooms cannot be asked: see `connectionOf`. */
export function presentStatus(
  call: StoredCall,
  connections: ConnectionStatuses | undefined,
  now: Date,
): CallStatusResponse {
  return {
    call_id: call.id,
    status: call.status,
    type: call.type,
    initiated_by: call.callerId,
    started_at: startedAt(call).toISOString(),
    duration: durationSeconds(call, now),
    participants: participantsOf(call).map((participant) => ({
      ...participant,
      connection_status: connectionOf(call, connections, participant.role),
    })),
    version: call.version,
    ...ringOf(call),
    ...(call.endedAt === null ? {} : { ended_at: call.endedAt.toISOString() }),
    ...(call.endReason === null ? {} : { end_reason: call.endReason }),
  }
}

/** What a device needs to know before it rings: how long still, by the same clock, and whether another one does. */
function ringOf(call: StoredCall): Pick<CallStatusResponse, 'server_time' | 'ring_state' | 'expires_at'> {
  const ringState = ringStateOf(call)
  return {
    server_time: call.readAt.toISOString(),
    ...(call.status === 'connecting' ? { expires_at: call.ringExpiresAt.toISOString() } : {}),
    ...(ringState === undefined ? {} : { ring_state: ringState }),
  }
}

/**
 * Over: nobody is connected. Live: what the room says, `connecting` for who never joined. Where Redis is away the
 * database knows only whether anybody ever joined: then `disconnected` says that contact to the room is lost.
 */
function connectionOf(
  call: Call,
  connections: ConnectionStatuses | undefined,
  role: ParticipantRole,
): ConnectionStatus {
  if (!isLive(call)) return 'disconnected'
  if (connections !== undefined) return connections[role] ?? 'connecting'
  return call.firstJoinedAt === null ? 'connecting' : 'disconnected'
}

/** The caller has joined by calling, the callee by answering. */
function participantsOf(call: Call): AnswerResponse['participants'] {
  return [
    { user_id: call.callerId, role: 'caller', joined_at: call.createdAt.toISOString() },
    { user_id: call.calleeId, role: 'callee', joined_at: call.answeredAt?.toISOString() ?? null },
  ]
}

/** A user has at most one live call; the contract's list keeps its form. */
export function presentActive(call: StoredCall | undefined, userId: string): ActiveCallsResponse {
  if (call === undefined || (call.status !== 'connecting' && call.status !== 'active')) return { active_calls: [] }
  return {
    active_calls: [
      {
        call_id: call.id,
        type: call.type,
        status: call.status,
        other_participants: [call.callerId === userId ? call.calleeId : call.callerId],
        started_at: startedAt(call).toISOString(),
        initiated_by: call.callerId,
        ...ringOf(call),
      },
    ],
  }
}

export function presentHistory(userId: string, query: HistoryQuery, page: HistoryPage): HistoryResponse {
  return {
    calls: page.entries.map((entry) => historyEntry(userId, entry)),
    pagination: {
      limit: query.limit,
      offset: query.offset,
      total: page.total,
      has_more: page.hasMore,
      ...(page.nextCursor === undefined ? {} : { next_cursor: page.nextCursor }),
    },
  }
}

function historyEntry(userId: string, entry: HistoryEntry): HistoryResponse['calls'][number] {
  const called = entry.role === 'callee'
  return {
    call_id: entry.callId,
    type: entry.type,
    status: entry.status,
    initiated_by: called ? entry.otherUserId : userId,
    participants: called ? [entry.otherUserId, userId] : [userId, entry.otherUserId],
    started_at: entry.startedAt.toISOString(),
    ended_at: entry.endedAt.toISOString(),
    duration: entry.durationSeconds,
    end_reason: entry.endReason,
  }
}

export function presentPresence(presence: Presence, liveCall: Call | undefined): PresenceResponse {
  return {
    user_id: presence.userId,
    status: presence.status,
    in_call: liveCall !== undefined,
    ...(liveCall === undefined ? {} : { call_id: liveCall.id }),
    last_seen: presence.lastSeenAt?.toISOString() ?? null,
  }
}

export function presentPresenceCheck(presence: Presence, liveCall: Call | undefined): PresenceCheckResponse {
  return {
    user_id: presence.userId,
    available: presence.status === 'online' && liveCall === undefined,
    status: presence.status,
    in_call: liveCall !== undefined,
    last_seen: presence.lastSeenAt?.toISOString() ?? null,
  }
}

export function presentPresenceUpdate(userId: string, update: PresenceUpdate): PresenceUpdateResponse {
  return {
    user_id: userId,
    status: update.status,
    updated_at: update.updatedAt.toISOString(),
    visibility: update.visibility,
  }
}

export function presentDemoUser(name: string, presence: Presence, inCall: boolean): DemoUser {
  const { userId, status, lastSeenAt } = presence
  return { user_id: userId, name, status, in_call: inCall, last_seen: lastSeenAt?.toISOString() ?? null }
}

export function presentDeadLetters(limit: number, page: DeadLetterPage): DeadLettersResponse {
  return {
    dead_letters: page.letters.map((letter) => ({
      id: letter.id,
      endpoint: letter.endpoint,
      event_id: webhookEventId(letter.callId, letter.type),
      type: letter.type,
      call_id: letter.callId,
      created_at: letter.createdAt.toISOString(),
      died_at: letter.diedAt.toISOString(),
      attempts: letter.attempts,
      last_outcome: letter.lastOutcome,
      last_status: letter.lastStatus,
    })),
    pagination: {
      limit,
      total: page.total,
      has_more: page.hasMore,
      ...(page.nextCursor === undefined ? {} : { next_cursor: page.nextCursor }),
    },
  }
}
