/** The one kind of error that this package throws and reports, with the codes of the calling service and a few of its own. */
import type { ErrorBody, ErrorCode, ErrorDetails } from '../core/protocol/errors.ts'

/**
 * A code of the service, or one of this package's: `NETWORK_ERROR` (no answer, or none that is understood),
 * `ORIGIN_REFUSED` (an address outside the configured origins: no token goes there), `MEDIA_UNAVAILABLE` (no microphone or
 * camera), `INVALID_TOKEN` (the token provider failed, or gave what is no token) and `INVALID_STATE` (not now: the call is
 * over, or it does not ring).
 */
export type CallingErrorCode =
  | ErrorCode
  | 'NETWORK_ERROR'
  | 'ORIGIN_REFUSED'
  | 'MEDIA_UNAVAILABLE'
  | 'INVALID_TOKEN'
  | 'INVALID_STATE'

interface Facts {
  /** HTTP status of the answer, where there was one. */
  status?: number
  details?: ErrorDetails
  requestId?: string
  retryAfterMs?: number
  cause?: unknown
}

export class CallingError extends Error {
  override readonly name = 'CallingError'
  readonly code: CallingErrorCode
  readonly status: number | undefined
  readonly details: ErrorDetails | undefined
  /** Names the request in the service's log. */
  readonly requestId: string | undefined
  /** When the service wants to be asked again. */
  readonly retryAfterMs: number | undefined

  constructor(code: CallingErrorCode, message: string, { cause, ...facts }: Facts = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.status = facts.status
    this.details = facts.details
    this.requestId = facts.requestId
    this.retryAfterMs = facts.retryAfterMs
  }
}

/** An error envelope as it came, by HTTP or over a socket. `retryAfter` is the header's text, in whole seconds. */
export function errorOfBody(body: ErrorBody, status?: number, retryAfter?: string | null): CallingError {
  const { code, message, details } = body.error
  const advised = details?.retry_after_ms
  const seconds = retryAfter ? Number(retryAfter) : Number.NaN
  const retryAfterMs = typeof advised === 'number' ? advised : Number.isFinite(seconds) ? seconds * 1000 : undefined
  return new CallingError(code, message, { status, details, requestId: body.request_id, retryAfterMs })
}

/** What was thrown, as an error of this package. */
export function asCallingError(error: unknown, code: CallingErrorCode): CallingError {
  if (error instanceof CallingError) return error
  return new CallingError(code, error instanceof Error ? error.message : String(error), { cause: error })
}
