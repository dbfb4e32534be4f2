/**
 * A deadline for the whole request: the client gets an answer and can try again, even while Postgres hangs statement
 * after statement. Work that the request has started continues without a client. A handler that would leave something
 * behind checks `isOverdue` before it commits.
 */
import type { RequestHandler } from 'express'
import { AppError } from '../../core/protocol/errors.ts'
import { contextOf } from '../request-context.ts'
import type { Refuse } from './error-handler.ts'

/** Answers with 503 what has no answer after `deadlineMs`. The time in which a client still sends its body is its own. */
export function deadline(deadlineMs: number, refuse: Refuse): RequestHandler {
  return (request, response, next) => {
    const timer = setTimeout(() => {
      if (response.headersSent) return
      if (!request.complete) return void timer.refresh()
      const context = contextOf(request)
      context.isOverdue = true
      refuse(new AppError(context.overdueCode ?? 'SERVICE_UNAVAILABLE', 'The request took too long'), request, response)
    }, deadlineMs)
    response.once('close', () => clearTimeout(timer))
    next()
  }
}
