/** Socket tickets: what a client puts into the query of a handshake in place of its token (additive endpoint). */
import { type Request, type Response, Router } from 'express'
import { TICKET_TTL_MS } from '../../core/platform/socket-tickets.ts'
import type { TicketResponse } from '../../core/protocol/socket-ticket.ts'
import { BASE_PATH } from '../base-path.ts'
import type { Guards } from '../guards.ts'
import { identityOf } from '../request-context.ts'
import type { ApiServices } from '../services.ts'

export function ticketRoutes({ tickets }: ApiServices, { authenticate, limit }: Guards): Router {
  async function issue(request: Request, response: Response): Promise<void> {
    const { ticket, expiresAt } = await tickets.issue(identityOf(request))
    response.status(201).json({
      ticket,
      expires_at: expiresAt.toISOString(),
      ttl_seconds: TICKET_TTL_MS / 1000,
    } satisfies TicketResponse)
  }

  const router = Router({ caseSensitive: true })
  router.route(`${BASE_PATH}/ws-ticket`).post(authenticate, limit('ticket'), issue)
  return router
}
