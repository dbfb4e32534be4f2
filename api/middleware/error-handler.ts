/** The only way an error leaves the API: the contract's envelope. What is not an AppError tells nothing of itself. */
import type { ErrorRequestHandler, Request, Response } from 'express'
import type { Logger } from '../../core/platform/logger.ts'
import { isDatabaseAway } from '../../core/platform/postgres.ts'
import { AppError, errorBody } from '../../core/protocol/errors.ts'
import type { ApiMetrics } from '../api-metrics.ts'
import { contextOf } from '../request-context.ts'

/** Outages heal within seconds (a restarted Postgres, a failover); clients back off by themselves beyond that. */
const RETRY_AFTER_SECONDS = 1

/** Answers a request with a refusal, logs it and counts it. */
export type Refuse = (error: unknown, request: Request, response: Response) => void

export function createRefuse(log: Logger, metrics: ApiMetrics): Refuse {
  return (error, request, response) => {
    const { requestId } = contextOf(request)
    const refusal = asAppError(error)
    metrics.refused(refusal.code)
    if (refusal.status >= 500) {
      const cause = refusal.cause ?? error
      const level = refusal.code === 'INTERNAL_ERROR' ? 'error' : 'warn'
      log[level]({ requestId, code: refusal.code, err: describe(cause, level === 'error') }, 'request failed')
    }
    if (response.headersSent) return
    const waitSeconds = refusal.status === 503 ? RETRY_AFTER_SECONDS : refusal.details?.retry_after_seconds
    if (typeof waitSeconds === 'number') response.set('Retry-After', String(waitSeconds))
    response.status(refusal.status).json(errorBody(refusal, requestId))
  }
}

export function errorHandler(refuse: Refuse): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    // Its client has an answer already, and goes on using the connection.
    if (contextOf(request).isOverdue) return
    refuse(error, request, response)
    // Half a response cannot become another one; Express then closes the connection.
    if (!response.writableEnded) next(error)
  }
}

function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (isDatabaseAway(error)) return new AppError('SERVICE_UNAVAILABLE', undefined, { cause: error })
  return httpRefusal(error) ?? new AppError('INTERNAL_ERROR', undefined, { cause: error })
}

/** Faults that Express and its body reader find (`http-errors`): too large, unreadable encoding, malformed path. */
function httpRefusal(error: unknown): AppError | undefined {
  const status = error instanceof Error && 'status' in error ? error.status : undefined
  if (status === 413) return new AppError('INVALID_REQUEST', 'The body is larger than 64 KiB', { status })
  if (status === 415) return new AppError('INVALID_REQUEST', 'The content encoding is not supported', { status })
  if (status === 400) return new AppError('INVALID_REQUEST', 'The request cannot be read', { cause: error })
  return undefined
}

/** A stack only where it is ours to repair. Messages of the database may quote SQL, never what a client sent to others. */
function describe(cause: unknown, withStack: boolean): string {
  if (!(cause instanceof Error)) return String(cause)
  return withStack ? (cause.stack ?? cause.message) : cause.message
}
