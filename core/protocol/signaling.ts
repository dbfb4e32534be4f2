/**
 * The wire of the contract's "WebSocket Signaling", as types. A Socket.IO event is named by the message's `type`
 * and carries the same object; a raw WebSocket frame is that object as JSON.
 */
import type { ErrorBody } from './errors.ts'

export type CallStatus = 'connecting' | 'active' | 'ended' | 'failed'
export type CallType = 'voice' | 'video'
export type ParticipantRole = 'caller' | 'callee'
export type ConnectionStatus = 'connecting' | 'connected' | 'disconnected'

/** Additive: what is known of the callee's devices while a call is `connecting`. */
export type RingState = 'ringing' | 'unreachable'

/** Additive: why a call is over (decisions, "Call state machine"). */
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

export interface JoinRoomMessage {
  type: 'join-room'
  call_id: string
  user_id: string
  id?: string | number
}
export interface LeaveRoomMessage {
  type: 'leave-room'
  call_id: string
  user_id: string
  id?: string | number
}
export interface OfferMessage {
  type: 'offer'
  call_id: string
  from: string
  to: string
  sdp: string
  id?: string | number
}
export interface AnswerMessage {
  type: 'answer'
  call_id: string
  from: string
  to: string
  sdp: string
  id?: string | number
}
export interface CandidateMessage {
  type: 'candidate'
  call_id: string
  from: string
  to: string
  /** `""` ends the candidates of a generation; browsers send it. */
  candidate: string
  sdp_mid?: string | null
  sdp_m_line_index?: number | null
  id?: string | number
}
/** Additive: how a client reports its peer connection. */
export interface ConnectionStateMessage {
  type: 'connection-state'
  call_id: string
  user_id: string
  state: 'connecting' | 'connected' | 'disconnected' | 'failed'
  /** Anything a client may send; the gateway reads what it knows of it (gateway/connection-stats.ts). */
  stats?: Record<string, unknown>
  id?: string | number
}
/** Additive: asks for TURN credentials, now and whenever they are about to end. */
export interface IceServersRequestMessage {
  type: 'ice-servers'
  call_id: string
  user_id: string
  id?: string | number
}

/** Additive, and the one message that a user channel takes: this device rings for the call. */
export interface RingingMessage {
  type: 'ringing'
  call_id: string
  user_id: string
  id?: string | number
}

/** The messages that are relayed, unread, to the other participant. */
export type RelayedMessage = OfferMessage | AnswerMessage | CandidateMessage
export type ClientMessage =
  | JoinRoomMessage
  | LeaveRoomMessage
  | RelayedMessage
  | ConnectionStateMessage
  | IceServersRequestMessage
  | RingingMessage
export type ClientMessageType = ClientMessage['type']

export interface UserJoinedMessage {
  type: 'user-joined'
  call_id: string
  user_id: string
  participants: string[]
  seq?: string
}
export interface UserLeftMessage {
  type: 'user-left'
  call_id: string
  user_id: string
  participants: string[]
  seq?: string
}
export interface CallStatusMessage {
  type: 'call-status'
  call_id: string
  status: CallStatus
  timestamp: string
  /** Additive: rises with every change of the call; a lower one never follows a higher. */
  version: number
  end_reason?: EndReason
  answered_by_device?: string
  /** While `connecting`, once it is known. */
  ring_state?: RingState
  seq?: string
}
/** Additive: rings every user channel of the callee. */
export interface IncomingCallMessage {
  type: 'incoming-call'
  call_id: string
  caller_id: string
  call_type: CallType
  created_at: string
  expires_at: string
  /** The clock that made `expires_at`, read when the message was made. */
  server_time: string
  signaling_url: string
}
/** As `RTCPeerConnection` takes it. */
export interface IceServer {
  urls: string[]
  username?: string
  credential?: string
}
/** Additive: only for connections that asked for it, once on request and again before the credentials end. */
export interface IceServersMessage {
  type: 'ice-servers'
  call_id: string
  iceServers: IceServer[]
  ttl_seconds: number
}
/** Additive: the message `id` would now survive the loss of the node. */
export interface AckMessage {
  type: 'ack'
  id: string | number
  /** Absent on a user channel, which has no places. */
  seq?: string
}
/** Additive: ends the answer to a handshake with `since`; what was missed follows it. */
export interface ResumedMessage {
  type: 'resumed'
  call_id: string
  recovered: boolean
  count: number
  seq?: string
}
export interface ErrorMessage extends ErrorBody {
  type: 'error'
  /** The `id` of the message at fault, where it had one. */
  ref?: string | number
}

export type ServerMessage =
  | UserJoinedMessage
  | UserLeftMessage
  | CallStatusMessage
  | IncomingCallMessage
  | IceServersMessage
  | AckMessage
  | ResumedMessage
  | ErrorMessage
  | RelayedMessage

/** A Socket.IO acknowledgement callback's answer. */
export type AckReply = { ok: true; seq?: string } | { ok: false; error: ErrorBody['error'] }
export type Ack = (reply: AckReply) => void

/** What a Socket.IO client may send; the event name equals the message's `type`. */
export type ClientEvents = {
  [T in ClientMessageType]: (message: Extract<ClientMessage, { type: T }>, ack?: Ack) => void
}
/** What a Socket.IO client may receive. */
export type ServerEvents = {
  [T in ServerMessage['type']]: (message: Extract<ServerMessage, { type: T }>) => void
}

/** WebSocket close codes (decisions, "Signaling"). 4000-4999 are private use, RFC 6455 section 7.4.2. */
export const CLOSE = {
  CALL_OVER: 1000,
  NOT_JSON: 1003,
  POLICY: 1008,
  TOO_LARGE: 1009,
  SERVER_ERROR: 1011,
  RESTARTING: 1012,
  TOKEN_EXPIRED: 4401,
  REPLACED: 4409,
} as const

/** Contract decisions, "Signaling": a frame larger than this closes with 1009. */
export const MAX_FRAME_BYTES = 64 * 1024
