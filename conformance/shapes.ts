/** The bodies and messages of the contract, as shapes. Fields beyond them are additive and let pass. */
import assert from 'node:assert/strict'
import * as z from 'zod'

export const uuid = z.string().regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/)
/** UTC in ISO 8601, as the contract writes times. */
export const time = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
const callType = z.enum(['voice', 'video'])
const seconds = z.int().min(0)
const role = z.enum(['caller', 'callee'])

export const ERROR_CODES = [
  'INVALID_REQUEST',
  'UNAUTHORIZED',
  'FORBIDDEN',
  'NOT_FOUND',
  'CONFLICT',
  'RATE_LIMITED',
  'INTERNAL_ERROR',
  'SERVICE_UNAVAILABLE',
  'USER_ALREADY_IN_CALL',
  'CALL_NOT_FOUND',
  'CALL_ALREADY_ENDED',
  'USER_NOT_AVAILABLE',
  'INVALID_CALL_TYPE',
  'WEBRTC_CONNECTION_FAILED',
  'SIGNALING_ERROR',
  'PRESENCE_UPDATE_FAILED',
] as const
export type ErrorCode = (typeof ERROR_CODES)[number]

const error = z.looseObject({
  code: z.enum(ERROR_CODES),
  message: z.string().min(1),
  details: z.looseObject({}).optional(),
})

export const envelope = z.looseObject({ error, timestamp: time, request_id: uuid })

export const initiated = z.looseObject({
  call_id: uuid,
  status: z.literal('connecting'),
  signaling_url: z.string().regex(/^wss?:\/\/.+\/ws\/signaling\/[0-9a-f-]{36}$/),
  created_at: time,
})

const participant = z.looseObject({ user_id: uuid, role, joined_at: time.nullable() })

export const answered = z.looseObject({
  call_id: uuid,
  status: z.literal('active'),
  participants: z.array(participant.extend({ joined_at: time })).length(2),
})

export const ended = z.looseObject({
  call_id: uuid,
  status: z.enum(['ended', 'failed']),
  duration: seconds,
  ended_at: time,
})

export const callStatus = z.looseObject({
  call_id: uuid,
  status: z.enum(['connecting', 'active', 'ended', 'failed']),
  type: callType,
  initiated_by: uuid,
  started_at: time,
  duration: seconds,
  participants: z
    .array(participant.extend({ connection_status: z.enum(['connecting', 'connected', 'disconnected']) }))
    .length(2),
})

export const activeCalls = z.looseObject({
  active_calls: z.array(
    z.looseObject({
      call_id: uuid,
      type: callType,
      status: z.enum(['connecting', 'active']),
      other_participants: z.array(uuid),
      started_at: time,
    }),
  ),
})

export const history = z.looseObject({
  calls: z.array(
    z.looseObject({
      call_id: uuid,
      type: callType,
      status: z.enum(['completed', 'failed', 'missed']),
      initiated_by: uuid,
      participants: z.array(uuid).length(2),
      started_at: time,
      ended_at: time,
      duration: seconds,
    }),
  ),
  pagination: z.looseObject({ limit: z.int(), offset: z.int(), total: z.int(), has_more: z.boolean() }),
})

export const presence = z.looseObject({
  user_id: uuid,
  status: z.enum(['online', 'offline']),
  in_call: z.boolean(),
  call_id: uuid.nullish(),
  last_seen: time.nullable(),
})

export const availability = z.looseObject({
  user_id: uuid,
  available: z.boolean(),
  status: z.enum(['online', 'offline']),
  in_call: z.boolean(),
  last_seen: time.nullable(),
})

export const presenceSet = z.looseObject({ user_id: uuid, status: z.enum(['online', 'offline']), updated_at: time })

export const health = z.looseObject({
  status: z.literal('healthy'),
  service: z.literal('calling'),
  version: z.string().min(1),
  timestamp: time,
  uptime: z.string().regex(/^(\d+h)?(\d+m)?\d+s$/),
})

const healthCheck = z.looseObject({ status: z.string().min(1), message: z.string().min(1) })

export const detailedHealth = health.extend({
  status: z.enum(['healthy', 'degraded', 'unhealthy']),
  checks: z.looseObject({
    database: healthCheck.extend({ duration: z.string().regex(/^[\d.]+ms$/) }),
    redis: healthCheck.extend({ duration: z.string().regex(/^[\d.]+ms$/) }),
    webrtc: healthCheck,
  }),
})

/** @throws AssertionError that says which field is wrong */
export function assertShape<T extends z.ZodType>(shape: T, value: unknown): z.infer<T> {
  const result = shape.safeParse(value)
  if (result.success) return result.data
  assert.fail(`${z.prettifyError(result.error)}\nin ${JSON.stringify(value)}`)
}

/** An answer with an error has the envelope, and the request id of its header in it. */
export function assertEnvelope(answer: { status: number; headers: Headers; body: unknown }): void {
  const body = assertShape(envelope, answer.body)
  assert.equal(body.request_id, answer.headers.get('x-request-id'))
  const [needsRetryAfter, needsChallenge] = [[429, 503].includes(answer.status), answer.status === 401]
  if (needsRetryAfter) assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
  if (needsChallenge) assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer/)
}

/** An answer is this error, with this status. */
export function assertError(
  answer: { status: number; body: { error?: { code?: string } }; text: string },
  status: number,
  code: ErrorCode,
): void {
  assert.deepEqual([answer.status, answer.body?.error?.code], [status, code], answer.text)
}
