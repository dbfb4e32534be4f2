/** What webhook receivers are told of a call: which event a change is, and the body that tells of it. */
import type { CallGroups } from '../platform/call-groups.ts'
import { type WebhookBody, type WebhookCall, webhookEventId } from '../protocol/webhooks.ts'
import type { Delivery } from '../webhooks/delivery.ts'
import { durationSeconds, signalingUrl } from './call.ts'
import { type CallRow, callFromRow } from './call-rows.ts'

/**
 * The one event that ends a call, as SQL over its row. It follows the history: who has a call as missed there was told
 * `call.missed`, whatever the `end_reason`.
 */
export const FINAL_WEBHOOK = `CASE WHEN status = 'failed' THEN 'call.failed'
  WHEN answered_at IS NULL THEN 'call.missed' ELSE 'call.ended' END`

/** The body of one attempt. `groups` make the `signaling_url`. */
export function webhookBody(delivery: Delivery, groups: CallGroups): WebhookBody {
  return {
    id: webhookEventId(delivery.callId, delivery.type),
    type: delivery.type,
    created_at: delivery.createdAt.toISOString(),
    sent_at: delivery.claimedAt.toISOString(),
    attempt: delivery.attempt,
    // The row was written by call-transitions.ts, which knows no other form.
    data: callData(delivery.payload as CallRow, groups),
  }
}

function callData(row: CallRow, groups: CallGroups): WebhookCall {
  const call = callFromRow(row)
  const { answeredAt, answeredByDevice, endedAt, endReason } = call
  return {
    call_id: call.id,
    caller_id: call.callerId,
    callee_id: call.calleeId,
    call_type: call.type,
    status: call.status,
    version: call.version,
    created_at: call.createdAt.toISOString(),
    expires_at: call.ringExpiresAt.toISOString(),
    signaling_url: signalingUrl(groups, call),
    ...(answeredAt === null ? {} : { answered_at: answeredAt.toISOString() }),
    ...(answeredByDevice === null ? {} : { answered_by_device: answeredByDevice }),
    ...(endedAt === null ? {} : { ended_at: endedAt.toISOString(), duration: durationSeconds(call, endedAt) }),
    ...(endReason === null ? {} : { end_reason: endReason }),
  }
}
