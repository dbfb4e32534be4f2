/** A call, and how the contract's answers and messages show it. */

export type CallType = 'voice' | 'video'
export type CallStatus = 'connecting' | 'active' | 'ended' | 'failed'
export type EndReason =
  | 'canceled'
  | 'declined'
  | 'busy'
  | 'no_answer'
  | 'connection_failed'
  | 'hangup'
  | 'timeout'
  | 'peers_lost'
  | 'setup_timeout'

export interface Call {
  id: string
  type: CallType
  callerId: string
  calleeId: string
  status: CallStatus
  /** Rises with every change. */
  version: number
  createdAtMs: number
  expiresAtMs: number
  answeredAtMs?: number
  answeredByDevice?: string
  endedAtMs?: number
  endReason?: EndReason
  ringState?: 'ringing' | 'unreachable'
}

export const iso = (ms: number) => new Date(ms).toISOString()
export const isLive = ({ status }: Call) => status === 'connecting' || status === 'active'
export const otherOf = (call: Call, userId: string) => (call.callerId === userId ? call.calleeId : call.callerId)
export const isParticipant = (call: Call, userId: string) => call.callerId === userId || call.calleeId === userId

export function durationOf(call: Call, nowMs: number): number {
  if (call.answeredAtMs === undefined) return 0
  return Math.max(0, Math.floor(((call.endedAtMs ?? nowMs) - call.answeredAtMs) / 1000))
}

/** The place that a call has in its users' history. */
export function historyStatus(call: Call): 'completed' | 'missed' | 'failed' {
  if (call.status === 'failed') return 'failed'
  return call.answeredAtMs === undefined ? 'missed' : 'completed'
}

export function statusMessage(call: Call, nowMs: number): Record<string, unknown> & { type: 'call-status' } {
  return {
    type: 'call-status',
    call_id: call.id,
    status: call.status,
    timestamp: iso(nowMs),
    version: call.version,
    ...(call.endReason === undefined ? {} : { end_reason: call.endReason }),
    ...(call.answeredByDevice === undefined ? {} : { answered_by_device: call.answeredByDevice }),
    ...(call.ringState === undefined || call.status !== 'connecting' ? {} : { ring_state: call.ringState }),
  }
}
