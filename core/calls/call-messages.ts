/** What the gateways are told of a call, made from the call itself. Pure. */
import type { CallChanged, CallRinging, ClusterEvents } from '../protocol/cluster-events.ts'
import { type Call, signalingUrl } from './call.ts'

export type EventKind = keyof ClusterEvents

/** The change that brought the call into its present state. */
export function callChanged(call: Call): CallChanged {
  const at = call.endedAt ?? call.answeredAt ?? call.createdAt
  return {
    caller_id: call.callerId,
    callee_id: call.calleeId,
    message: {
      type: 'call-status',
      call_id: call.id,
      status: call.status,
      timestamp: at.toISOString(),
      version: call.version,
      ...(call.endReason === null ? {} : { end_reason: call.endReason }),
      ...(call.answeredByDevice === null ? {} : { answered_by_device: call.answeredByDevice }),
    },
  }
}

/** The ring of a call that was just created. */
export function callRinging(call: Call, publicUrl: string): CallRinging {
  return {
    callee_id: call.calleeId,
    message: {
      type: 'incoming-call',
      call_id: call.id,
      caller_id: call.callerId,
      call_type: call.type,
      created_at: call.createdAt.toISOString(),
      expires_at: call.ringExpiresAt.toISOString(),
      signaling_url: signalingUrl(publicUrl, call.id),
    },
  }
}
