/** What became of a call, and what went wrong, in sentences for the one who reads them. */
import type { CallEndReason } from '../client/public-api.ts'
import type { HistoryEntry } from './service.ts'

/** How a call ended that this window took part in, or rang for. */
export function endSentence(
  reason: CallEndReason | undefined,
  direction: 'outgoing' | 'incoming',
  name: string,
): string {
  const outgoing = direction === 'outgoing'
  switch (reason) {
    case 'canceled':
      return outgoing ? 'You cancelled the call' : `Missed call from ${name}`
    case 'declined':
      return outgoing ? `${name} declined` : 'You declined'
    case 'busy':
      return outgoing ? `${name} is busy` : `Missed call from ${name}`
    case 'no_answer':
      return outgoing ? `${name} did not answer` : `Missed call from ${name}`
    case 'connection_failed':
      return 'No connection could be made'
    case 'setup_timeout':
      return 'The call could not be set up'
    case 'peers_lost':
      return 'The connection was lost'
    case 'timeout':
      return 'The call took too long'
    case 'answered_elsewhere':
      return 'Answered on another device'
    case 'replaced':
      return 'The call goes on in another window'
    default:
      return 'Call ended'
  }
}

/** Whether somebody called here in vain. */
export function isMissed(reason: CallEndReason | undefined, direction: 'outgoing' | 'incoming'): boolean {
  return direction === 'incoming' && (reason === 'canceled' || reason === 'busy' || reason === 'no_answer')
}

/** The result of a call in the history, in one or two words. */
export function historyWord(
  { status, end_reason }: Pick<HistoryEntry, 'status' | 'end_reason'>,
  outgoing: boolean,
): string {
  if (status === 'completed') return 'Completed'
  if (status === 'failed') return 'Failed'
  if (end_reason === 'declined') return 'Declined'
  if (!outgoing) return 'Missed'
  if (end_reason === 'busy') return 'Busy'
  return end_reason === 'canceled' ? 'Cancelled' : 'No answer'
}

/** What is known of an error, whoever threw it. */
export interface Fault {
  code: string
  details?: Record<string, unknown> | undefined
  retryAfterMs?: number | undefined
  cause?: unknown
}

/** Why something did not work, and what can be done about it. `name` is the other side's. */
export function faultSentence({ code, details, retryAfterMs, cause }: Fault, name: string): string {
  switch (code) {
    case 'USER_ALREADY_IN_CALL':
      return details?.call_id === undefined
        ? `${name} is in another call.`
        : 'You are in a call already, in another window or on another device.'
    case 'USER_NOT_AVAILABLE':
      return `${name} is not available now.`
    case 'RATE_LIMITED':
      return retryAfterMs === undefined
        ? 'That was too often. Try again in a minute.'
        : `That was too often. Try again in ${Math.ceil(retryAfterMs / 1000)} s.`
    case 'MEDIA_UNAVAILABLE':
      return mediaSentence(cause)
    case 'CALL_ALREADY_ENDED':
      return 'The call is over already.'
    case 'CONFLICT':
      return 'The call was answered on another device.'
    case 'WEBRTC_CONNECTION_FAILED':
      return 'Audio and video find no way to the other side.'
    case 'UNAUTHORIZED':
    case 'INVALID_TOKEN':
      return 'You are signed out. Sign in again.'
    case 'ORIGIN_REFUSED':
      return 'This call is led to an address that this page does not trust.'
    case 'NETWORK_ERROR':
    case 'SERVICE_UNAVAILABLE':
      return 'The service does not answer. Try again in a moment.'
    default:
      return 'That did not work. Try again.'
  }
}

/** By the names that browsers give: Media Capture and Streams, "getUserMedia". */
function mediaSentence(cause: unknown): string {
  switch (cause instanceof Error ? cause.name : undefined) {
    case 'NotAllowedError':
      return 'The browser has refused the microphone or camera. Allow them in the settings of this site, then try again.'
    case 'NotFoundError':
      return 'There is no microphone or camera. Connect one, then try again.'
    case 'NotReadableError':
    case 'AbortError':
      return 'The microphone or camera is in use by another program.'
    case 'SecurityError':
      return 'Browsers give microphone and camera to pages on https or localhost alone.'
    default:
      return 'Microphone or camera cannot be used.'
  }
}
