/** The nouns of a call as the code knows them, and the two pure views that the contract asks of a call. */
import type { CallStatus, CallType, EndReason } from '../protocol/signaling.ts'

export interface Call {
  id: string
  status: CallStatus
  type: CallType
  callerId: string
  calleeId: string
  createdAt: Date
  /** When ringing ends by itself. */
  ringExpiresAt: Date
  answeredAt: Date | null
  answeredByDevice: string | null
  endedAt: Date | null
  endReason: EndReason | null
  /** Rises by one with every change of state; 1 at creation. */
  version: number
  /** When somebody first joined the signaling room. */
  firstJoinedAt: Date | null
  /** Since when no peer of either side is connected; null while one is, or before anybody joined. */
  peersGoneSince: Date | null
}

export type HistoryStatus = 'completed' | 'failed' | 'missed'

/** A live call occupies its two users; an over call is history and never changes again. */
export function isLive(call: Pick<Call, 'status'>): boolean {
  return call.status === 'connecting' || call.status === 'active'
}

/** Contract, history `status`: answered and ended is completed, never answered is missed, failed is failed. */
export function historyStatus(call: Pick<Call, 'status' | 'answeredAt'>): HistoryStatus {
  if (call.status === 'failed') return 'failed'
  return call.answeredAt === null ? 'missed' : 'completed'
}

/** Whole seconds from answer to end (to `now` while active); 0 if never answered. */
export function durationSeconds(call: Pick<Call, 'answeredAt' | 'endedAt'>, now: Date): number {
  if (call.answeredAt === null) return 0
  const until = call.endedAt ?? now
  return Math.max(0, Math.floor((until.getTime() - call.answeredAt.getTime()) / 1000))
}

/** Contract `started_at`: the answer, or the creation where nobody answered. */
export function startedAt(call: Pick<Call, 'answeredAt' | 'createdAt'>): Date {
  return call.answeredAt ?? call.createdAt
}

/** The role of a user in a call, or undefined for a stranger. */
export function roleOf(call: Pick<Call, 'callerId' | 'calleeId'>, userId: string): 'caller' | 'callee' | undefined {
  if (call.callerId === userId) return 'caller'
  return call.calleeId === userId ? 'callee' : undefined
}
