/** One id per request: the client's own if it is a UUID, else a new one. In the response, its error body and the log. */
import { randomUUID } from 'node:crypto'
import type { RequestHandler } from 'express'
import { isUuid } from '../../core/protocol/ids.ts'
import { openContext } from '../request-context.ts'

export function requestId(): RequestHandler {
  return (request, response, next) => {
    const given = request.get('x-request-id')
    const { requestId } = openContext(request, isUuid(given) ? given : randomUUID())
    response.set('X-Request-Id', requestId)
    next()
  }
}
