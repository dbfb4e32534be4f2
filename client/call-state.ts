/** What a user interface shows of a call: one plain object, replaced as a whole whenever something of it changes. */
import type { EndReason, RingState } from '../core/protocol/signaling.ts'

/**
 * `idle`: not begun yet; `ringing`: at the other side, or here; `connecting`: answered, media looks for its way;
 * `active`: media has flowed; `ended`: over, for this device.
 */
export type CallPhase = 'idle' | 'ringing' | 'connecting' | 'active' | 'ended'

/**
 * A reason of the service, or of this device alone: another device of this user has answered (`answered_elsewhere`) or
 * taken the call over (`replaced`), or the service could not be asked any more (`unknown`).
 */
export type CallEndReason = EndReason | 'answered_elsewhere' | 'replaced' | 'unknown'

export interface CallState {
  readonly phase: CallPhase
  /** Of an outgoing call that rings, once it is known whether a device really does. */
  readonly ringState?: RingState
  /** Once it has ended. */
  readonly endReason?: CallEndReason
  /** Signaling or media was there, is lost, and is being looked for. */
  readonly reconnecting: boolean
  /** Whether the other side is in the room of the call. */
  readonly peerPresent: boolean
  /** Whether this side's microphone is off. */
  readonly muted: boolean
  /** Whether this side sends a picture. */
  readonly cameraOn: boolean
}

export const INITIAL_STATE: CallState = {
  phase: 'idle',
  reconnecting: false,
  peerPresent: false,
  muted: false,
  cameraOn: false,
}

/** The state with the changes, or undefined where they change nothing. */
export function changed(state: CallState, changes: Partial<CallState>): CallState | undefined {
  const next = { ...state, ...changes }
  const isSame = (Object.keys(next) as (keyof CallState)[]).every((key) => next[key] === state[key])
  return isSame ? undefined : next
}

const ORDER: CallPhase[] = ['idle', 'ringing', 'connecting', 'active', 'ended']

/** A state is never taken back: media may stand before the status that announces the answer. */
export function furthest(a: CallPhase, b: CallPhase): CallPhase {
  return ORDER.indexOf(a) > ORDER.indexOf(b) ? a : b
}
