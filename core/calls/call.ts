/** The nouns of a call as the code knows them, and the two pure views that the contract asks of a call. */
import { type CallGroups, groupNamed } from '../platform/call-groups.ts'
import type { JoinedSides } from '../protocol/occupancy.ts'
import type { CallStatus, CallType, EndReason, ParticipantRole, RingState } from '../protocol/signaling.ts'

export interface Call {
  id: string
  status: CallStatus
  type: CallType
  /** The name of the group in which it lives; null where there was no choice. */
  group: string | null
  callerId: string
  calleeId: string
  createdAt: Date
  /** When ringing ends by itself. */
  ringExpiresAt: Date
  answeredAt: Date | null
  answeredByDevice: string | null
  endedAt: Date | null
  endReason: EndReason | null
  /** Rises by one with every change of state or of the ring state; 1 at creation. */
  version: number
  /** When somebody first joined the signaling room. */
  firstJoinedAt: Date | null
  /** Who has ever joined it. */
  joinedSides: JoinedSides
  /** Since when no peer of either side is connected; null while one is, or before anybody joined. */
  peersGoneSince: Date | null
  /** Which change of the room between somebody and nobody these two say; 0 before the first. */
  occupancyVersion: number
  /** When the first device of the callee said that it rings. */
  ringingAt: Date | null
  /** When the limit for such a receipt passed without one; a receipt may come later. */
  unreachableAt: Date | null
}

export type HistoryStatus = 'completed' | 'failed' | 'missed'

/** A live call occupies its two users; an over call is history and never changes again. */
export function isLive(call: Pick<Call, 'status'>): boolean {
  return call.status === 'connecting' || call.status === 'active'
}

/** Whether the callee is known to be rung; undefined while nobody knows, and once the call is answered or over. */
export function ringStateOf(call: Pick<Call, 'status' | 'ringingAt' | 'unreachableAt'>): RingState | undefined {
  if (call.status !== 'connecting') return undefined
  if (call.ringingAt !== null) return 'ringing'
  return call.unreachableAt === null ? undefined : 'unreachable'
}

/** When the call came into its present state, or ring state. */
export function changedAt(call: Call): Date {
  return call.endedAt ?? call.answeredAt ?? call.ringingAt ?? call.unreachableAt ?? call.createdAt
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
export function roleOf(call: Pick<Call, 'callerId' | 'calleeId'>, userId: string): ParticipantRole | undefined {
  if (call.callerId === userId) return 'caller'
  return call.calleeId === userId ? 'callee' : undefined
}

/** One user's view of a call that is over; never changes again. */
export interface HistoryEntry {
  callId: string
  type: CallType
  status: HistoryStatus
  /** The part that the user of this history had. */
  role: ParticipantRole
  otherUserId: string
  startedAt: Date
  endedAt: Date
  durationSeconds: number
  endReason: EndReason
}

/** A call as it was when it was created: what an idempotent replay answers with, whatever has become of it since. */
export function asCreated(call: Call): Call {
  return {
    ...call,
    status: 'connecting',
    answeredAt: null,
    answeredByDevice: null,
    endedAt: null,
    endReason: null,
    version: 1,
    firstJoinedAt: null,
    joinedSides: 0,
    peersGoneSince: null,
    occupancyVersion: 0,
    ringingAt: null,
    unreachableAt: null,
  }
}

/** Contract `signaling_url`: the public origin of the call's group with its scheme turned into ws or wss. */
export function signalingUrl(groups: CallGroups, { id, group }: Pick<Call, 'id' | 'group'>): string {
  return `${groupNamed(groups, group).publicUrl.replace(/^http/, 'ws')}/ws/signaling/${id}`
}
