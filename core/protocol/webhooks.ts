/** What a webhook receiver gets: the types of events and the body of a delivery (docs/webhooks.md). */
import type { CallStatus, CallType, EndReason } from './signaling.ts'

/** In the order in which a call may have them; the last three exclude each other. */
export const WEBHOOK_TYPES = [
  'call.initiated',
  'call.ringing',
  'call.answered',
  'call.ended',
  'call.missed',
  'call.failed',
] as const

export type WebhookType = (typeof WEBHOOK_TYPES)[number]

/** The call just after the event. Fields that the call does not have yet are left out. */
export interface WebhookCall {
  call_id: string
  caller_id: string
  callee_id: string
  call_type: CallType
  status: CallStatus
  /** Rises with every change of the call's state. */
  version: number
  created_at: string
  /** When ringing ends by itself. */
  expires_at: string
  signaling_url: string
  answered_at?: string
  answered_by_device?: string
  ended_at?: string
  end_reason?: EndReason
  /** Whole seconds from the answer to the end, 0 where nobody answered; once the call is over. */
  duration?: number
}

export interface WebhookBody {
  /** The same in every attempt and replay of this event, and at every endpoint: receivers drop what they know. */
  id: string
  type: WebhookType
  /** When the event was written, together with the change of the call. */
  created_at: string
  /** The service's time at this attempt; compare `expires_at` with it, not with a clock of one's own. */
  sent_at: string
  /** Counts from 1, anew after a replay. */
  attempt: number
  data: WebhookCall
}

/** A call has each type once, so the id needs no table of its own. No dot: the signature's parts are joined by dots. */
export function webhookEventId(callId: string, type: WebhookType): string {
  return `evt_${callId}_${type.slice('call.'.length)}`
}
