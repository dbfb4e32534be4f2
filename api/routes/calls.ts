/** Calls over HTTP (contract, "Call Management", "Active Calls", "Call History"). Guards stand in the order of their checks. */
import { type Request, type RequestHandler, type Response, Router } from 'express'
import { roleOf } from '../../core/calls/call.ts'
import type { Initiated } from '../../core/calls/call-initiation.ts'
import { presentTimeline } from '../../core/calls/call-story.ts'
import { readTimeline } from '../../core/calls/call-timeline.ts'
import type { IdempotencyKey } from '../../core/calls/idempotency-store.ts'
import { deviceOf } from '../../core/platform/devices.ts'
import { AppError } from '../../core/protocol/errors.ts'
import { BASE_PATH } from '../base-path.ts'
import { hashInitiate } from '../body-hash.ts'
import type { Guards } from '../guards.ts'
import {
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
  presentMerged,
  presentRinging,
  presentStatus,
} from '../present.ts'
import { assertManages, assertMayActFor, contextOf, identityOf, mayActFor } from '../request-context.ts'
import type { ApiServices } from '../services.ts'
import { maySee } from '../visibility.ts'

export function callRoutes(services: ApiServices, guards: Guards): Router {
  const { calls, rooms, presence } = services
  const { authenticate, readBody, readOptionalBody, limit } = guards
  const { groups } = services.platform.config
  const { requireOnlineCallee } = services.platform.config.calls

  const replayInitiate: RequestHandler = async (request, response, next) => {
    const idempotency = idempotencyOf(request)
    const kept = idempotency && (await calls.findReplay(idempotency))
    if (kept === undefined) return next()
    sendInitiated(request, response, { ...kept, replayed: true })
  }

  async function initiate(request: Request, response: Response): Promise<void> {
    parseIdempotencyKey(request)
    const { merges, deviceId, ...wanted } = parseInitiate(request)
    assertMayActFor(identityOf(request), wanted.callerId)
    const merge = merges ? { deviceId: deviceFor(request, wanted.callerId, deviceId) } : undefined
    const command = { ...wanted, merge, idempotency: idempotencyOf(request) }
    const isAbandoned = () => contextOf(request).isOverdue === true
    try {
      if (requireOnlineCallee && !(await isReachable(wanted, merges))) throw new AppError('USER_NOT_AVAILABLE')
      sendInitiated(request, response, await calls.initiate({ ...command, isAbandoned }))
    } catch (error) {
      throw error instanceof AppError ? await asTold(error, { request, response }, wanted.calleeId) : error
    }
  }

  /** Whether a hidden user is offline or in a call is nobody's business: both refusals are one. */
  async function asTold(
    refusal: AppError,
    { request, response }: { request: Request; response: Response },
    calleeId: string,
  ): Promise<AppError> {
    if (refusal.code === 'RATE_LIMITED') {
      services.metrics.limited('unanswered_rings')
      tellSpent(response, refusal)
    }
    const isOfCallee = refusal.code === 'USER_ALREADY_IN_CALL' && refusal.details?.call_id === undefined
    if (!isOfCallee || (await maySee(await presence.find(calleeId), identityOf(request), calls))) return refusal
    return new AppError('USER_NOT_AVAILABLE')
  }

  function sendInitiated(request: Request, response: Response, { call, merged, replayed }: Initiated): void {
    contextOf(request).callId = call.id
    if (replayed) response.set('Idempotent-Replayed', 'true')
    if (merged) response.status(200).json(presentMerged(call, groups))
    else response.status(201).json(presentInitiated(call, groups))
  }

  /** Who has just called the caller is there, whatever his presence says. */
  async function isReachable({ callerId, calleeId }: Pair, merges: boolean): Promise<boolean> {
    if ((await presence.find(calleeId)).status === 'online') return true
    return merges && (await calls.liveCallOf(callerId))?.callerId === calleeId
  }

  async function answer(request: Request, response: Response): Promise<void> {
    const callId = parsePathId(request, 'call_id')
    const { userId, deviceId } = parseAnswer(request)
    await assertMayActIn(callId, request, userId)
    response.json(presentAnswered(await calls.answer(callId, userId, deviceFor(request, userId, deviceId))))
  }

  async function ringing(request: Request, response: Response): Promise<void> {
    const callId = parsePathId(request, 'call_id')
    const userId = parseRinging(request) ?? identityOf(request).userId
    await assertMayActIn(callId, request, userId)
    response.json(presentRinging(await calls.rings.confirm(callId, userId)))
  }

  async function end(request: Request, response: Response): Promise<void> {
    const callId = parsePathId(request, 'call_id')
    const { userId = identityOf(request).userId, reason, expectedStatus } = parseEnd(request)
    await assertMayActIn(callId, request, userId)
    response.json(presentEnded(await calls.end(callId, userId, reason, expectedStatus)))
  }

  async function status(request: Request, response: Response): Promise<void> {
    const call = await calls.require(parsePathId(request, 'call_id'))
    const identity = identityOf(request)
    if (!identity.manages && roleOf(call, identity.userId) === undefined)
      throw new AppError('FORBIDDEN', 'Only participants can see a call')
    const connections = await rooms.connectionStatuses(call.id, call.group).catch(() => undefined)
    response.json(presentStatus(call, connections, new Date()))
  }

  async function timeline(request: Request, response: Response): Promise<void> {
    const callId = parsePathId(request, 'call_id')
    assertManages(identityOf(request))
    response.json(presentTimeline(await readTimeline(services.platform.db, callId)))
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
  router.route(`${BASE_PATH}/calls/:call_id/timeline`).get(authenticate, limit(), timeline)
  router.route(`${BASE_PATH}/calls/user/:user_id/active`).get(authenticate, limit(), active)
  router.route(`${BASE_PATH}/calls/user/:user_id/history`).get(authenticate, limit('history'), history)
  return router
}

type Pair = { callerId: string; calleeId: string }

/** A backend's own device is not a device of the user for whom it acts: then the body alone names one. */
function deviceFor(request: Request, userId: string, said: string | undefined): string | undefined {
  const identity = identityOf(request)
  return identity.userId === userId ? deviceOf(identity, said) : said
}

/** Undefined without a key, and where the key or the body is unreadable: the checks after the rate limit refuse those. */
function idempotencyOf(request: Request): IdempotencyKey | undefined {
  try {
    const key = parseIdempotencyKey(request)
    if (key === undefined) return undefined
    return { userId: identityOf(request).userId, key, bodyHash: hashInitiate(parseJson(request)) }
  } catch {
    return undefined
  }
}

/** In place of the state of the limit for all initiates, which has let this one pass. */
function tellSpent(response: Response, { details }: AppError): void {
  response.set({
    'RateLimit-Limit': String(details?.limit),
    'RateLimit-Remaining': '0',
    'RateLimit-Reset': String(details?.retry_after_seconds),
  })
}
