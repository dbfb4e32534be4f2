/** Calls over HTTP (contract, "Call Management", "Active Calls", "Call History"). Guards stand in the order of their checks. */
import { type Request, type RequestHandler, type Response, Router } from 'express'
import { roleOf } from '../../core/calls/call.ts'
import type { InitiateCommand } from '../../core/calls/call-service.ts'
import { AppError } from '../../core/protocol/errors.ts'
import { BASE_PATH } from '../base-path.ts'
import type { Guards } from '../guards.ts'
import {
  hashBody,
  parseAnswer,
  parseEnd,
  parseHistoryQuery,
  parseIdempotencyKey,
  parseInitiate,
  parseJson,
  parsePathId,
  parseRinging,
} from '../parse.ts'
import {
  presentActive,
  presentAnswered,
  presentEnded,
  presentHistory,
  presentInitiated,
  presentRinging,
  presentStatus,
} from '../present.ts'
import { assertMayActFor, contextOf, identityOf, mayActFor } from '../request-context.ts'
import type { ApiServices } from '../services.ts'

export function callRoutes(services: ApiServices, guards: Guards): Router {
  const { calls, rooms, presence } = services
  const { authenticate, readBody, readOptionalBody, limit } = guards
  const { publicUrl } = services.platform.config.http
  const { requireOnlineCallee } = services.platform.config.calls

  const replayInitiate: RequestHandler = async (request, response, next) => {
    const idempotency = idempotencyOf(request)
    const call = idempotency && (await calls.findReplay(idempotency.userId, idempotency.key, idempotency.bodyHash))
    if (call === undefined) return next()
    contextOf(request).callId = call.id
    response.status(201).set('Idempotent-Replayed', 'true').json(presentInitiated(call, publicUrl))
  }

  async function initiate(request: Request, response: Response): Promise<void> {
    parseIdempotencyKey(request)
    const command: InitiateCommand = { ...parseInitiate(request), idempotency: idempotencyOf(request) }
    assertMayActFor(identityOf(request), command.callerId)
    if (requireOnlineCallee && (await presence.find(command.calleeId)).status === 'offline')
      throw new AppError('USER_NOT_AVAILABLE')
    const { call, replayed } = await calls.initiate(command)
    contextOf(request).callId = call.id
    if (replayed) response.set('Idempotent-Replayed', 'true')
    response.status(201).json(presentInitiated(call, publicUrl))
  }

  async function answer(request: Request, response: Response): Promise<void> {
    const callId = parsePathId(request, 'call_id')
    const { userId, deviceId } = parseAnswer(request)
    const identity = identityOf(request)
    await assertMayActIn(callId, request, userId)
    // A backend's own device is not the device of the user for whom it answers.
    const device = deviceId ?? (identity.userId === userId ? identity.deviceId : undefined)
    response.json(presentAnswered(await calls.answer(callId, userId, device)))
  }

  async function ringing(request: Request, response: Response): Promise<void> {
    const callId = parsePathId(request, 'call_id')
    const userId = parseRinging(request) ?? identityOf(request).userId
    await assertMayActIn(callId, request, userId)
    response.json(presentRinging(await calls.rings.confirm(callId, userId)))
  }

  async function end(request: Request, response: Response): Promise<void> {
    const callId = parsePathId(request, 'call_id')
    const { userId = identityOf(request).userId, reason } = parseEnd(request)
    await assertMayActIn(callId, request, userId)
    response.json(presentEnded(await calls.end(callId, userId, reason)))
  }

  async function status(request: Request, response: Response): Promise<void> {
    const call = await calls.require(parsePathId(request, 'call_id'))
    const identity = identityOf(request)
    if (!identity.manages && roleOf(call, identity.userId) === undefined)
      throw new AppError('FORBIDDEN', 'Only participants can see a call')
    const connections = await rooms.connectionStatuses(call.id).catch(() => undefined)
    response.json(presentStatus(call, connections, new Date()))
  }

  async function active(request: Request, response: Response): Promise<void> {
    const userId = parsePathId(request, 'user_id')
    assertMayActFor(identityOf(request), userId)
    response.json(presentActive(await calls.liveCallOf(userId), userId))
  }

  async function history(request: Request, response: Response): Promise<void> {
    const userId = parsePathId(request, 'user_id')
    const query = parseHistoryQuery(request)
    assertMayActFor(identityOf(request), userId)
    response.json(presentHistory(userId, query, await calls.history(userId, query)))
  }

  /** An unknown call is 404 before a strange user is 403, so whoever may not act is told whether the call exists. */
  async function assertMayActIn(callId: string, request: Request, userId: string): Promise<void> {
    if (mayActFor(identityOf(request), userId)) return
    await calls.require(callId)
    assertMayActFor(identityOf(request), userId)
  }

  const router = Router({ caseSensitive: true })
  router.route(`${BASE_PATH}/calls/initiate`).post(authenticate, readBody, replayInitiate, limit('initiate'), initiate)
  router.route(`${BASE_PATH}/calls/:call_id`).delete(authenticate, readOptionalBody, limit(), end)
  router.route(`${BASE_PATH}/calls/:call_id/answer`).put(authenticate, readBody, limit(), answer)
  router.route(`${BASE_PATH}/calls/:call_id/ringing`).post(authenticate, readOptionalBody, limit(), ringing)
  router.route(`${BASE_PATH}/calls/:call_id/status`).get(authenticate, limit(), status)
  router.route(`${BASE_PATH}/calls/user/:user_id/active`).get(authenticate, limit(), active)
  router.route(`${BASE_PATH}/calls/user/:user_id/history`).get(authenticate, limit('history'), history)
  return router
}

/** Undefined without a key, and where the key or the body is unreadable: the checks after the rate limit refuse those. */
function idempotencyOf(request: Request): InitiateCommand['idempotency'] {
  try {
    const key = parseIdempotencyKey(request)
    if (key === undefined) return undefined
    return { userId: identityOf(request).userId, key, bodyHash: hashBody(parseJson(request)) }
  } catch {
    return undefined
  }
}
