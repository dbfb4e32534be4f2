/** The Express application: every middleware and router, in the order in which a request meets them. */
import express, { type Express } from 'express'
import { AppError } from '../core/protocol/errors.ts'
import { createGuards } from './guards.ts'
import { crossOrigin } from './middleware/cross-origin.ts'
import { deadline } from './middleware/deadline.ts'
import { createRefuse, errorHandler } from './middleware/error-handler.ts'
import { refuseOtherMethods } from './middleware/method-not-allowed.ts'
import { requestId } from './middleware/request-id.ts'
import { requestLog } from './middleware/request-log.ts'
import { apiHeaders } from './middleware/security-headers.ts'
import { callRoutes } from './routes/calls.ts'
import { demoRoutes } from './routes/demo.ts'
import { docsRoutes } from './routes/docs.ts'
import { healthRoutes } from './routes/health.ts'
import { iceRoutes } from './routes/ice.ts'
import { pageRoutes } from './routes/page.ts'
import { presenceRoutes } from './routes/presence.ts'
import { webhookRoutes } from './routes/webhooks.ts'
import { ticketRoutes } from './routes/ws-ticket.ts'
import type { ApiServices } from './services.ts'

/** Where the build leaves the page: beside the compiled API. */
const BUILT_PAGE = new URL('../web/', import.meta.url)

export function createApiServer(services: ApiServices, builtPage: URL = BUILT_PAGE): Express {
  const { config, log } = services.platform
  const guards = createGuards(services)
  const refuse = createRefuse(log, services.metrics)
  const app = express()
  app.disable('x-powered-by')
  // Nothing here is worth revalidating: answers are small, private and not to be stored.
  app.disable('etag')
  app.enable('case sensitive routing')
  // The edge is the one proxy whose forwarding headers count.
  app.set('trust proxy', 1)

  app.use(requestId())
  app.use(requestLog(log, services.metrics))
  app.use(apiHeaders())
  app.use(crossOrigin(config.http.corsOrigins))
  app.use(deadline(config.postgres.timeoutMs, refuse))
  app.use(refuseOtherMethods(healthRoutes(services)))
  app.use(refuseOtherMethods(callRoutes(services, guards)))
  app.use(refuseOtherMethods(presenceRoutes(services, guards)))
  app.use(refuseOtherMethods(iceRoutes(services, guards)))
  app.use(refuseOtherMethods(ticketRoutes(services, guards)))
  app.use(refuseOtherMethods(webhookRoutes(services, guards)))
  if (config.http.demoEnabled) {
    app.use(refuseOtherMethods(demoRoutes(services, guards)))
    app.use(refuseOtherMethods(pageRoutes(builtPage, config.http.publicUrl)))
  }
  // Where there is no page, / leads to the reference.
  if (config.http.docsEnabled) app.use(refuseOtherMethods(docsRoutes()))
  app.use(() => {
    throw new AppError('NOT_FOUND', 'There is nothing at this path')
  })
  app.use(errorHandler(refuse))
  return app
}
