/** Dead letters of webhooks, for operators: tokens with the scope `calls:manage` alone (docs/webhooks.md). */
import { type Request, type Response, Router } from 'express'
import { BASE_PATH } from '../base-path.ts'
import type { Guards } from '../guards.ts'
import { parseDeadLetterId, parseDeadLetterQuery, parseReplay } from '../parse.ts'
import { presentDeadLetters } from '../present.ts'
import { assertManages, identityOf } from '../request-context.ts'
import type { ApiServices } from '../services.ts'

export function webhookRoutes({ deadLetters }: ApiServices, guards: Guards): Router {
  const { authenticate, readOptionalBody, limit } = guards

  async function list(request: Request, response: Response): Promise<void> {
    const query = parseDeadLetterQuery(request)
    assertManages(identityOf(request))
    response.json(presentDeadLetters(query.limit, await deadLetters.list(query)))
  }

  async function replayAll(request: Request, response: Response): Promise<void> {
    const endpoint = parseReplay(request)
    assertManages(identityOf(request))
    response.status(202).json({ replayed: await deadLetters.replayAll(endpoint) })
  }

  async function replay(request: Request, response: Response): Promise<void> {
    const id = parseDeadLetterId(request)
    assertManages(identityOf(request))
    await deadLetters.replay(id)
    response.status(202).json({ replayed: 1 })
  }

  const router = Router({ caseSensitive: true })
  const path = `${BASE_PATH}/webhooks/dead-letters`
  router.route(path).get(authenticate, limit(), list)
  router.route(`${path}/replay`).post(authenticate, readOptionalBody, limit(), replayAll)
  router.route(`${path}/:id/replay`).post(authenticate, limit(), replay)
  return router
}
