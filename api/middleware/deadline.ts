/**
 * A deadline for the whole request: whatever hangs behind it (a frozen Postgres, statement after statement), its client
 * gets an answer and can try again. What the request has begun goes on and tells nobody; where that would leave
 * something behind, the handler asks whether the request is overdue before it commits.
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
