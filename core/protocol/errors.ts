/**
 * The contract's error table ("Common Error Codes", "Specific Error Codes") and the one error class that carries it.
 * How an error reaches a client is decided at the edges: `api/middleware/error-handler.ts` and `gateway/` render it.
 */

/** Every code of the contract with its HTTP status and its default sentence. A code outside this table does not compile. */
export const ERRORS = {
  INVALID_REQUEST: { status: 400, message: 'Invalid request parameters' },
  UNAUTHORIZED: { status: 401, message: 'Authentication required' },
  FORBIDDEN: { status: 403, message: 'Insufficient permissions' },
  NOT_FOUND: { status: 404, message: 'Resource not found' },
  CONFLICT: { status: 409, message: 'Resource conflict' },
  RATE_LIMITED: { status: 429, message: 'Rate limit exceeded' },
  INTERNAL_ERROR: { status: 500, message: 'Internal server error' },
  SERVICE_UNAVAILABLE: { status: 503, message: 'Service temporarily unavailable' },
  USER_ALREADY_IN_CALL: { status: 409, message: 'User is already participating in an active call' },
  CALL_NOT_FOUND: { status: 404, message: 'Call session not found' },
  CALL_ALREADY_ENDED: { status: 409, message: 'Cannot perform action on ended call' },
  USER_NOT_AVAILABLE: { status: 409, message: 'Target user is not available for calling' },
  INVALID_CALL_TYPE: { status: 400, message: 'Invalid call type specified' },
  WEBRTC_CONNECTION_FAILED: { status: 409, message: 'WebRTC connection establishment failed' },
  SIGNALING_ERROR: { status: 400, message: 'WebSocket signaling error' },
  PRESENCE_UPDATE_FAILED: { status: 503, message: 'Failed to update user presence' },
} as const satisfies Record<string, { status: number; message: string }>

export type ErrorCode = keyof typeof ERRORS

/** Machine-readable facts beside an error, e.g. `{ field: 'callee_id' }` or `{ call_id }`. Never a token, SDP or candidate. */
export type ErrorDetails = Record<string, unknown>

/** The contract's error envelope ("Error Responses"). */
export interface ErrorBody {
  error: { code: ErrorCode; message: string; details?: ErrorDetails }
  timestamp: string
  request_id: string
}

/** What every layer throws for a fault that the caller may be told about. Anything else becomes `INTERNAL_ERROR`. */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  readonly details: ErrorDetails | undefined
  /** Overrides the table's HTTP status where one code serves several (405, 413 and 415 are all `INVALID_REQUEST`). */
  readonly status: number

  constructor(
    code: ErrorCode,
    message: string = ERRORS[code].message,
    options: { details?: ErrorDetails; status?: number; cause?: unknown } = {},
  ) {
    // An answer, not an accident: where it was made says nothing, and a flood of them would cost a fifth of the CPU.
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    Error.stackTraceLimit = stackTraceLimit
    this.code = code
    this.details = options.details
    this.status = options.status ?? ERRORS[code].status
  }
}

/** Builds the envelope; `requestId` is the request's or, on a socket, made for this error. */
export function errorBody(error: AppError, requestId: string, now: Date = new Date()): ErrorBody {
  return {
    error: {
      code: error.code,
      message: error.message,
      ...(error.details === undefined ? {} : { details: error.details }),
    },
    timestamp: now.toISOString(),
    request_id: requestId,
  }
}
