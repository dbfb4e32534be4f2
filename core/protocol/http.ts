/** Request and response bodies of the contract's REST endpoints, additive fields of the decisions included. */
import type {
  CallStatus,
  CallType,
  ConnectionStatus,
  EndReason,
  IceServer,
  ParticipantRole,
  RingState,
} from './signaling.ts'
import type { WebhookType } from './webhooks.ts'

export type EndRequestReason = 'user_hangup' | 'connection_failed' | 'timeout'
export type PresenceStatus = 'online' | 'offline'
export type Visibility = 'everyone' | 'contacts' | 'nobody'

export interface InitiateResponse {
  call_id: string
  status: 'connecting'
  signaling_url: string
  created_at: string
  expires_at: string
}

/** The answer to an initiate with `on_glare: "merge"` that has answered the other user's call. */
export interface MergedResponse {
  call_id: string
  status: 'active'
  role: 'callee'
  merged: true
  call_type: CallType
  signaling_url: string
  created_at: string
}

export interface RingingResponse {
  call_id: string
  status: 'connecting'
  ring_state: 'ringing'
  expires_at: string
  server_time: string
}

export interface AnswerResponse {
  call_id: string
  status: 'active'
  participants: { user_id: string; role: ParticipantRole; joined_at: string | null }[]
}

export interface EndResponse {
  call_id: string
  status: 'ended' | 'failed'
  duration: number
  ended_at: string
  end_reason: EndReason
}

export interface CallStatusResponse {
  call_id: string
  status: CallStatus
  type: CallType
  initiated_by: string
  started_at: string
  duration: number
  participants: {
    user_id: string
    role: ParticipantRole
    joined_at: string | null
    connection_status: ConnectionStatus
  }[]
  version: number
  server_time: string
  ring_state?: RingState
  expires_at?: string
  end_reason?: EndReason
  ended_at?: string
}

export interface ActiveCallsResponse {
  active_calls: {
    call_id: string
    type: CallType
    status: 'connecting' | 'active'
    other_participants: string[]
    started_at: string
    initiated_by: string
    server_time: string
    ring_state?: RingState
    expires_at?: string
  }[]
}

export interface HistoryResponse {
  calls: {
    call_id: string
    type: CallType
    status: 'completed' | 'failed' | 'missed'
    initiated_by: string
    participants: string[]
    started_at: string
    ended_at: string
    duration: number
    end_reason: EndReason
  }[]
  pagination: { limit: number; offset: number; total: number; has_more: boolean; next_cursor?: string }
}

export interface PresenceResponse {
  user_id: string
  status: PresenceStatus
  in_call: boolean
  call_id?: string
  last_seen: string | null
}

export interface PresenceUpdateResponse {
  user_id: string
  status: PresenceStatus
  updated_at: string
  visibility: Visibility
}

export interface PresenceCheckResponse {
  user_id: string
  available: boolean
  status: PresenceStatus
  in_call: boolean
  last_seen: string | null
}

export interface HealthCheck {
  status: 'healthy' | 'degraded' | 'unhealthy'
  message: string
  duration?: string
}

export interface HealthResponse {
  status: 'healthy' | 'degraded' | 'unhealthy'
  service: 'calling'
  version: string
  timestamp: string
  uptime: string
  checks?: Record<'database' | 'redis' | 'webrtc', HealthCheck>
}

export interface IceServersResponse {
  iceServers: IceServer[]
  ttl_seconds: number
  codecs: { audio: string[]; video: string[] }
}

export interface DeadLettersResponse {
  dead_letters: {
    id: string
    endpoint: string
    event_id: string
    type: WebhookType
    call_id: string
    created_at: string
    died_at: string
    attempts: number
    last_outcome: string | null
    last_status: number | null
  }[]
  pagination: { limit: number; total: number; has_more: boolean; next_cursor?: string }
}

/** One thing that happened in a call. Fields that do not apply are left out. */
export interface TimelineEntry {
  at: string
  /** From the creation of the call. */
  offset_ms: number
  source: 'call' | 'room' | 'webhook' | 'operator'
  event:
    | 'created'
    | 'ringing'
    | 'unreachable'
    | 'answered'
    | 'ended'
    | 'joined'
    | 'resumed'
    | 'left'
    | 'lost'
    | 'offer'
    | 'answer'
    | 'reported'
    | 'end_requested'
    | 'operator'
    | 'webhook_pending'
    | 'webhook_delivered'
    | 'webhook_dead'
  /** For people; programs read the other fields. */
  text: string
  /** Whose doing it was. */
  role?: ParticipantRole
  node?: string
  transport?: string
  device?: string
  detail?: string
  reason?: EndReason
  candidates?: number
  /** Of a change: until the gateways were told; null while they are not. */
  published_after_ms?: number | null
  endpoint?: string
  webhook_type?: WebhookType
  attempts?: number
  last_outcome?: string
  last_status?: number
}

export interface CallTimelineResponse {
  call_id: string
  caller_id: string
  callee_id: string
  call_type: CallType
  status: CallStatus
  end_reason?: EndReason
  created_at: string
  answered_at?: string
  ended_at?: string
  duration: number
  entries: TimelineEntry[]
}

export interface ReplayResponse {
  replayed: number
}

/** A token of the demo, for whoever gave the name. */
export interface DemoSignInResponse {
  user_id: string
  name: string
  token: string
  expires_at: string
  /** Where `signaling_url` points: the origin beside the page's own that its token may go to. */
  signaling_origin: string
}

export interface DemoUser {
  user_id: string
  name: string
  status: PresenceStatus
  in_call: boolean
  last_seen: string | null
}

export interface DemoUsersResponse {
  users: DemoUser[]
}
