/**
 * The shape of a client's signaling message: the first of the checks on every frame, by hand because it is the hot path.
 * What the ids mean, and whether the call is over, is checked by the gateway. SDP and candidates are never looked into.
 */
import { isUuid } from './ids.ts'
import { hasRepeatedNames } from './repeated-names.ts'
import type { ClientMessage } from './signaling.ts'

/** A message `id` is kept in Redis for the life of the log: it must be small. */
const MAX_ID_LENGTH = 128

const LONE_SURROGATE = /\p{Surrogate}/u

const STATES = new Set(['connecting', 'connected', 'disconnected', 'failed'])

/** Why a message is refused with INVALID_REQUEST; `field` is absent where the whole message is at fault. */
export interface ShapeFault {
  message: string
  field?: string
}

/**
 * The message as its type, or what is wrong with it. The object itself is returned, nothing is copied.
 * `text` is the JSON that `value` was parsed from; it is searched for repeated names, not parsed again.
 */
export function parseClientMessage(value: unknown, text: string): ClientMessage | ShapeFault {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { message: 'A message must be a JSON object' }
  const message = value as Record<string, unknown>
  const fault = commonFault(message) ?? faultOf(message)
  if (fault === undefined && hasRepeatedNames(text, value))
    return { message: 'A message must give each name of an object once' }
  return fault ?? (value as ClientMessage)
}

export function isFault(parsed: ClientMessage | ShapeFault): parsed is ShapeFault {
  return !('type' in parsed)
}

function commonFault(message: Record<string, unknown>): ShapeFault | undefined {
  if (typeof message.type !== 'string') return wrong('type', 'must be a string')
  const { id } = message
  if (id !== undefined && !isMessageId(id))
    return wrong('id', `must be a number within ±(2^53 - 1) or a string of 1 to ${MAX_ID_LENGTH} Unicode characters`)
  return undefined
}

/**
 * True for what may stand as a message's `id`, and so as the `ref` of the error that answers it. Ids that could be taken
 * for another one on their way are none: a surrogate without its other half has no UTF-8 (RFC 3629 section 3), and
 * whole numbers beyond 2^53 - 1 are rounded (RFC 8259 section 6).
 */
export function isMessageId(id: unknown): id is string | number {
  if (typeof id === 'string') return id.length > 0 && id.length <= MAX_ID_LENGTH && !LONE_SURROGATE.test(id)
  return typeof id === 'number' && Math.abs(id) <= Number.MAX_SAFE_INTEGER
}

function faultOf(message: Record<string, unknown>): ShapeFault | undefined {
  switch (message.type) {
    case 'candidate':
      return relayFault(message) ?? textFault(message, 'candidate') ?? candidateFault(message)
    case 'offer':
    case 'answer':
      return relayFault(message) ?? textFault(message, 'sdp')
    case 'join-room':
    case 'leave-room':
    case 'ice-servers':
    case 'ringing':
      return uuidFault(message, 'call_id', 'user_id')
    case 'connection-state':
      return uuidFault(message, 'call_id', 'user_id') ?? stateFault(message)
    default:
      return wrong('type', 'is not a message that a client may send')
  }
}

/** The ids of a message to the other peer. Nearly all are in order, and then no list of fields is made. */
function relayFault(message: Record<string, unknown>): ShapeFault | undefined {
  if (isUuid(message.call_id) && isUuid(message.from) && isUuid(message.to)) return undefined
  return uuidFault(message, 'call_id', 'from', 'to')
}

function uuidFault(message: Record<string, unknown>, ...fields: string[]): ShapeFault | undefined {
  for (const field of fields) if (!isUuid(message[field])) return wrong(field, 'must be a UUID')
  return undefined
}

function textFault(message: Record<string, unknown>, field: string): ShapeFault | undefined {
  return typeof message[field] === 'string' ? undefined : wrong(field, 'must be a string')
}

/** Browsers send `sdpMid` and `sdpMLineIndex` as null for some candidates, and the last one is empty. */
function candidateFault(message: Record<string, unknown>): ShapeFault | undefined {
  const { sdp_mid: mid, sdp_m_line_index: index } = message
  if (mid !== undefined && mid !== null && typeof mid !== 'string') return wrong('sdp_mid', 'must be a string or null')
  if (index !== undefined && index !== null && !(Number.isInteger(index) && (index as number) >= 0))
    return wrong('sdp_m_line_index', 'must be a whole number or null')
  return undefined
}

function stateFault(message: Record<string, unknown>): ShapeFault | undefined {
  if (typeof message.state !== 'string' || !STATES.has(message.state))
    return wrong('state', `must be one of ${[...STATES].join(', ')}`)
  const { stats } = message
  if (stats !== undefined && (typeof stats !== 'object' || stats === null || Array.isArray(stats)))
    return wrong('stats', 'must be an object')
  return undefined
}

const wrong = (field: string, what: string): ShapeFault => ({ message: `${field} ${what}`, field })
