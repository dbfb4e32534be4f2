/** One line and one count per request. A path may hold anything a client likes, so only the route's pattern is told. */
import type { Request, RequestHandler } from 'express'
import type { Logger } from '../../core/platform/logger.ts'
import type { ApiMetrics } from '../api-metrics.ts'
import { contextOf } from '../request-context.ts'

/** Label of requests that met no route. */
const UNKNOWN_ROUTE = 'unknown'

export function requestLog(log: Logger, metrics: ApiMetrics): RequestHandler {
  return (request, response, next) => {
    const startedAt = performance.now()
    metrics.arrived()
    // `close` comes after `finish`, and also where the client went away before its answer.
    response.once('close', () => {
      const ms = performance.now() - startedAt
      const { requestId, identity, callId } = contextOf(request)
      const route = routeOf(request)
      const status = response.statusCode
      metrics.answered(request.method, route, status, ms / 1000)
      const line = { requestId, method: request.method, route, status, ms: Math.round(ms * 10) / 10 }
      const whom = { userId: identity?.userId, callId, aborted: response.writableFinished ? undefined : true }
      log.info({ ...line, ...whom }, 'request')
    })
    next()
  }
}

/** `/api/v1/calls/:call_id/status` for any call. */
function routeOf(request: Request): string {
  const pattern: unknown = request.route?.path
  return typeof pattern === 'string' ? pattern : UNKNOWN_ROUTE
}
