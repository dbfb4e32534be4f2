/**
 * The state machine of a call as a pure table (decisions, "Call state machine").
 *
 *     initiate ──▶ connecting ──answer──▶ active
 *                      │                    │
 *                      ├─ user_hangup ──────┼─▶ ended
 *                      ├─ busy ─────────────┤
 *                      ├─ timeout ──────────┤
 *                      │                    ├─ peers_lost ──▶ ended
 *                      └─ connection_failed ┴─ setup_timeout ─▶ failed
 *
 * `ended` and `failed` are final. Who may cause an event, and when it is due, is the caller's business.
 */
import type { CallStatus, EndReason, ParticipantRole } from '../protocol/signaling.ts'

export type CallEvent =
  | 'answer'
  | 'user_hangup'
  /** The callee calls somebody else instead (`decline_ringing`). */
  | 'busy'
  | 'timeout'
  | 'connection_failed'
  | 'peers_lost'
  | 'setup_timeout'

export interface Outcome {
  to: CallStatus
  /** Set when the call is over. */
  reason: EndReason | null
}

type Table = Record<CallStatus, Partial<Record<CallEvent, Outcome | ((role: ParticipantRole) => Outcome)>>>

export const TRANSITIONS: Table = {
  connecting: {
    answer: { to: 'active', reason: null },
    user_hangup: (role) => ({ to: 'ended', reason: role === 'caller' ? 'canceled' : 'declined' }),
    busy: { to: 'ended', reason: 'busy' },
    timeout: { to: 'ended', reason: 'no_answer' },
    connection_failed: { to: 'failed', reason: 'connection_failed' },
  },
  active: {
    user_hangup: { to: 'ended', reason: 'hangup' },
    timeout: { to: 'ended', reason: 'timeout' },
    connection_failed: { to: 'failed', reason: 'connection_failed' },
    peers_lost: { to: 'ended', reason: 'peers_lost' },
    setup_timeout: { to: 'failed', reason: 'setup_timeout' },
  },
  ended: {},
  failed: {},
}

/**
 * Where `event` takes a call that is in `from`, or undefined where the table has no such arrow.
 * `role` matters for `user_hangup` alone: before the answer the caller cancels and the callee declines.
 */
export function nextState(from: CallStatus, event: CallEvent, role: ParticipantRole = 'caller'): Outcome | undefined {
  const outcome = TRANSITIONS[from][event]
  return typeof outcome === 'function' ? outcome(role) : outcome
}

/** The states from which `event` has an arrow: the guard of the UPDATE that performs it. */
export function statesBefore(event: CallEvent): CallStatus[] {
  return (Object.keys(TRANSITIONS) as CallStatus[]).filter((status) => TRANSITIONS[status][event] !== undefined)
}
