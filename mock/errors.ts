/** The contract's errors. */
import { randomUUID } from 'node:crypto'
import type { MockClock } from './clock.ts'

export const STATUS_OF = {
  INVALID_REQUEST: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  RATE_LIMITED: 429,
  INTERNAL_ERROR: 500,
  SERVICE_UNAVAILABLE: 503,
  USER_ALREADY_IN_CALL: 409,
  CALL_NOT_FOUND: 404,
  CALL_ALREADY_ENDED: 409,
  USER_NOT_AVAILABLE: 409,
  INVALID_CALL_TYPE: 400,
  WEBRTC_CONNECTION_FAILED: 500,
  SIGNALING_ERROR: 400,
  PRESENCE_UPDATE_FAILED: 503,
} as const

export type ErrorCode = keyof typeof STATUS_OF

export interface Envelope {
  error: { code: ErrorCode; message: string; details?: Record<string, unknown> }
  timestamp: string
  request_id: string
}

export class MockError extends Error {
  readonly code: ErrorCode
  readonly status: number
  readonly details: Record<string, unknown> | undefined
  readonly headers: Record<string, string>

  constructor(
    code: ErrorCode,
    message: string,
    facts: { details?: Record<string, unknown>; status?: number; headers?: Record<string, string> } = {},
  ) {
    super(message)
    this.code = code
    this.status = facts.status ?? STATUS_OF[code]
    this.details = facts.details
    this.headers = facts.headers ?? {}
  }

  /** What `connect_error`, acks and the error of a message carry. */
  get data(): Envelope['error'] {
    const details = this.details === undefined ? {} : { details: this.details }
    return { code: this.code, message: this.message, ...details }
  }
}

export function envelopeOf(error: MockError, clock: MockClock, requestId: string = randomUUID()): Envelope {
  return { error: error.data, timestamp: clock.iso(), request_id: requestId }
}

/** A field of a body or a message is wrong. */
export function invalidField(field: string, message: string): MockError {
  return new MockError('INVALID_REQUEST', `${field} ${message}`, { details: { field, fields: [{ field, message }] } })
}
