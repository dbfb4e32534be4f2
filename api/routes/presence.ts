/** Presence over HTTP (contract, "Presence Management"), with `in_call` from the live call. */
import { type Request, type Response, Router } from 'express'
import { type Call, isLive, roleOf } from '../../core/calls/call.ts'
import type { Presence } from '../../core/presence/presence-service.ts'
import { AppError } from '../../core/protocol/errors.ts'
import { BASE_PATH } from '../base-path.ts'
import type { Guards } from '../guards.ts'
import { parsePathId, parsePresence } from '../parse.ts'
import { presentPresence, presentPresenceCheck, presentPresenceUpdate } from '../present.ts'
import { assertMayActFor, contextOf, identityOf } from '../request-context.ts'
import type { ApiServices } from '../services.ts'
import { maySee } from '../visibility.ts'

export function presenceRoutes({ calls, presence }: ApiServices, guards: Guards): Router {
  const { authenticate, readBody, limit } = guards

  async function show(request: Request, response: Response): Promise<void> {
    response.json(presentPresence(...(await findVisible(request))))
  }

  async function check(request: Request, response: Response): Promise<void> {
    response.json(presentPresenceCheck(...(await findVisible(request))))
  }

  async function update(request: Request, response: Response): Promise<void> {
    const identity = identityOf(request)
    contextOf(request).overdueCode = 'PRESENCE_UPDATE_FAILED'
    const { status, visibility, callId, userId = identity.userId } = parsePresence(request)
    contextOf(request).callId = callId
    const call = callId === undefined ? undefined : await requireLive(callId)
    assertMayActFor(identity, userId)
    if (call !== undefined && roleOf(call, userId) === undefined)
      throw new AppError('FORBIDDEN', 'Only participants can name a call')
    response.json(presentPresenceUpdate(userId, await presence.update(userId, status, visibility)))
  }

  async function findVisible(request: Request): Promise<[Presence, Call | undefined]> {
    const identity = identityOf(request)
    const userId = parsePathId(request, 'user_id')
    const found = await presence.find(userId)
    if (!(await maySee(found, identity, calls))) throw new AppError('FORBIDDEN', 'The user does not show this presence')
    return [found, await calls.liveCallOf(userId)]
  }

  /** @throws CALL_NOT_FOUND, also for a call that is over: nobody is in it any more */
  async function requireLive(callId: string): Promise<Call> {
    const call = await calls.find(callId)
    if (call === undefined || !isLive(call)) throw new AppError('CALL_NOT_FOUND')
    return call
  }

  const router = Router({ caseSensitive: true })
  router.route(`${BASE_PATH}/presence/status/:user_id`).get(authenticate, limit(), show)
  router.route(`${BASE_PATH}/presence/status`).put(authenticate, readBody, limit('presence'), update)
  router.route(`${BASE_PATH}/presence/check/:user_id`).get(authenticate, limit(), check)
  return router
}
