/** The bodies of the contract's answers. */
import { type Call, durationOf, historyStatus, isLive, iso, otherOf } from '../calls/call.ts'

export interface View {
  nowMs: number
  /** `ws://host:port`, where sockets are. */
  socketOrigin: string
}

const signalingUrl = (call: Call, { socketOrigin }: View) => `${socketOrigin}/ws/signaling/${call.id}`

export function initiated(call: Call, view: View) {
  return {
    call_id: call.id,
    status: 'connecting',
    signaling_url: signalingUrl(call, view),
    created_at: iso(call.createdAtMs),
    expires_at: iso(call.expiresAtMs),
  }
}

export function merged(call: Call, view: View) {
  return {
    call_id: call.id,
    status: 'active',
    role: 'callee',
    merged: true,
    call_type: call.type,
    signaling_url: signalingUrl(call, view),
    created_at: iso(call.createdAtMs),
  }
}

export function incomingCall(call: Call, view: View) {
  return {
    type: 'incoming-call',
    call_id: call.id,
    caller_id: call.callerId,
    call_type: call.type,
    created_at: iso(call.createdAtMs),
    expires_at: iso(call.expiresAtMs),
    server_time: iso(view.nowMs),
    signaling_url: signalingUrl(call, view),
  } as const
}

const participantsOf = (call: Call) => [
  { user_id: call.callerId, role: 'caller', joined_at: iso(call.createdAtMs) },
  {
    user_id: call.calleeId,
    role: 'callee',
    joined_at: call.answeredAtMs === undefined ? null : iso(call.answeredAtMs),
  },
]

export function answered(call: Call) {
  return { call_id: call.id, status: 'active', participants: participantsOf(call) }
}

export function ended(call: Call, { nowMs }: View) {
  return {
    call_id: call.id,
    status: call.status,
    duration: durationOf(call, nowMs),
    ended_at: iso(call.endedAtMs ?? nowMs),
    end_reason: call.endReason,
  }
}

export function ringing(call: Call, { nowMs }: View) {
  return {
    call_id: call.id,
    status: 'connecting',
    ring_state: 'ringing',
    expires_at: iso(call.expiresAtMs),
    server_time: iso(nowMs),
  }
}

export function status(call: Call, { nowMs }: View, connectionOf: (userId: string) => string) {
  return {
    call_id: call.id,
    status: call.status,
    type: call.type,
    initiated_by: call.callerId,
    started_at: iso(call.answeredAtMs ?? call.createdAtMs),
    duration: durationOf(call, nowMs),
    participants: participantsOf(call).map((one) => ({ ...one, connection_status: connectionOf(one.user_id) })),
    version: call.version,
    server_time: iso(nowMs),
    ...(call.endReason === undefined ? {} : { end_reason: call.endReason }),
    ...(call.status === 'connecting' ? { expires_at: iso(call.expiresAtMs) } : {}),
    ...(call.ringState === undefined || call.status !== 'connecting' ? {} : { ring_state: call.ringState }),
  }
}

export function activeCalls(call: Call | undefined, userId: string, { nowMs }: View) {
  if (call === undefined || !isLive(call)) return { active_calls: [] }
  return {
    active_calls: [
      {
        call_id: call.id,
        type: call.type,
        status: call.status,
        other_participants: [otherOf(call, userId)],
        started_at: iso(call.answeredAtMs ?? call.createdAtMs),
        initiated_by: call.callerId,
        server_time: iso(nowMs),
      },
    ],
  }
}

export function historyEntry(call: Call, { nowMs }: View) {
  return {
    call_id: call.id,
    type: call.type,
    status: historyStatus(call),
    initiated_by: call.callerId,
    participants: [call.callerId, call.calleeId],
    started_at: iso(call.answeredAtMs ?? call.createdAtMs),
    ended_at: iso(call.endedAtMs ?? nowMs),
    duration: durationOf(call, nowMs),
    end_reason: call.endReason,
  }
}
