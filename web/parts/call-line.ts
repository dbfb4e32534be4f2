/** What a call is at, in a few words. */
import type { CallView } from '../phone.ts'

export function callLine({
  call,
  direction,
  state,
  answering,
}: Pick<CallView, 'call' | 'direction' | 'state' | 'answering'>) {
  if (call === undefined || state === undefined) return 'Waiting for microphone and camera…'
  if (state.phase === 'active') return state.reconnecting ? 'Reconnecting…' : 'Connected'
  if (state.phase === 'connecting' || answering) return 'Connecting…'
  if (direction === 'incoming') return 'Calling you'
  if (state.ringState === 'unreachable') return 'No device answers yet, still trying…'
  return state.ringState === 'ringing' ? 'Ringing…' : 'Calling…'
}
