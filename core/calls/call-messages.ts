/** What the gateways are told of a call, made from the call itself. Pure. */
import type { CallGroups } from '../platform/call-groups.ts'
import type { CallChanged, CallRinging, ClusterEvents } from '../protocol/cluster-events.ts'
import { type Call, changedAt, ringStateOf, signalingUrl } from './call.ts'

export type EventKind = keyof ClusterEvents

/** The change that brought the call into its present state, or ring state. */
export function callChanged(call: Call): CallChanged {
  const ringState = ringStateOf(call)
  return {
    caller_id: call.callerId,
    callee_id: call.calleeId,
    message: {
      type: 'call-status',
      call_id: call.id,
      status: call.status,
      timestamp: changedAt(call).toISOString(),
      version: call.version,
      ...(call.endReason === null ? {} : { end_reason: call.endReason }),
      ...(call.answeredByDevice === null ? {} : { answered_by_device: call.answeredByDevice }),
      ...(ringState === undefined ? {} : { ring_state: ringState }),
    },
  }
}

/** The ring of a call. `now` is Postgres' clock when the call was found to ring; its creation where it is new. */
export function callRinging(call: Call, groups: CallGroups, now: Date = call.createdAt): CallRinging {
  return {
    callee_id: call.calleeId,
    message: {
      type: 'incoming-call',
      call_id: call.id,
      caller_id: call.callerId,
      call_type: call.type,
      created_at: call.createdAt.toISOString(),
      expires_at: call.ringExpiresAt.toISOString(),
      server_time: now.toISOString(),
      signaling_url: signalingUrl(groups, call),
    },
  }
}
