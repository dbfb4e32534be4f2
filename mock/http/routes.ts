/** The contract's endpoints. Each takes a request whose token is genuine, and returns a status and a body. */
import { isParticipant } from '../calls/call.ts'
import { invalidField, MockError } from '../errors.ts'
import { isUuid } from '../ids.ts'
import { assertSpeaksFor, maySee, type Service } from '../service.ts'
import { TICKET_TTL_MS } from '../tickets.ts'
import type { Identity } from '../tokens.ts'
import * as answers from './answers.ts'
import {
  type Body,
  callTypeField,
  flagField,
  integerOf,
  knownNames,
  optionalDevice,
  optionalUuid,
  uuidField,
  wordField,
} from './fields.ts'
import { historyPage } from './history-page.ts'

export interface Request {
  identity: Identity
  /** The ids of the path, by their names in braces. */
  ids: Record<string, string>
  query: URLSearchParams
  body: Body
  headers: Record<string, string | string[] | undefined>
}

export interface Reply {
  status: number
  body: unknown
  headers?: Record<string, string>
}

export interface Route {
  method: string
  path: string
  needsToken: boolean
  /** A body is required, not merely taken. */
  needsBody?: boolean
  handle(request: Request): Reply
}

const ok = (body: unknown, headers: Record<string, string> = {}): Reply => ({ status: 200, body, headers })

export function routesOf(service: Service): Route[] {
  return [...callRoutes(service), ...userRoutes(service), ...presenceRoutes(service), ...otherRoutes(service)]
}

function callOf(service: Service, request: Request) {
  const id = idOf(request, 'call_id')
  const call = service.calls.require(id)
  if (!isParticipant(call, request.identity.userId) && !request.identity.isManager)
    throw new MockError('FORBIDDEN', 'The user has no part in this call')
  return call
}

/** An id of the path. @throws INVALID_REQUEST */
function idOf({ ids }: Request, name: string): string {
  const id = ids[name]
  if (!isUuid(id)) throw invalidField(name, 'must be a UUID')
  return id.toLowerCase()
}

function callRoutes(service: Service): Route[] {
  const { calls, rooms } = service
  const kept = new Map<string, { text: string; reply: Reply }>()
  const initiate = (request: Request): Reply => {
    const { body, identity } = request
    const headers = identity.isManager ? {} : service.limits.initiate.take(identity.userId)
    const type = callTypeField(body)
    const [callerId, calleeId] = [uuidField(body, 'caller_id'), uuidField(body, 'callee_id')]
    if (callerId === calleeId) throw invalidField('callee_id', 'must be another user')
    const merge = wordField(body, 'on_glare', ['merge', 'reject'], 'reject') === 'merge'
    const declineRinging = flagField(body, 'decline_ringing')
    const deviceId = identity.device ?? optionalDevice(body)
    assertSpeaksFor(identity, callerId)
    const isHidden = !maySee(service, { ...identity, userId: callerId }, calleeId)
    const calleeIsOffline = service.presence.isSetOffline(calleeId)
    const wanted = { callerId, calleeId, type, merge, declineRinging, deviceId, calleeIsOffline }
    const { call, merged } = calls.initiate({ ...wanted, calleeIsHidden: isHidden })
    const view = service.view()
    if (merged) return ok(answers.merged(call, view), headers)
    return { status: 201, body: answers.initiated(call, view), headers }
  }
  /** The first 201, or 200 of a merge, is the answer for ever after. */
  const once = (request: Request): Reply => {
    const key = request.headers['idempotency-key']
    if (typeof key !== 'string') return initiate(request)
    const name = `${request.identity.userId} ${key}`
    const text = JSON.stringify(request.body, Object.keys(request.body).sort()).toLowerCase()
    const known = kept.get(name)
    if (known !== undefined && known.text !== text)
      throw new MockError('CONFLICT', 'The Idempotency-Key was already used with another body')
    if (known !== undefined) return { ...known.reply, headers: { 'Idempotent-Replayed': 'true' } }
    const reply = initiate(request)
    kept.set(name, { text, reply })
    return reply
  }
  return [
    { method: 'POST', path: '/api/v1/calls/initiate', needsToken: true, needsBody: true, handle: once },
    {
      method: 'PUT',
      path: '/api/v1/calls/{call_id}/answer',
      needsToken: true,
      needsBody: true,
      handle: (request) => {
        idOf(request, 'call_id')
        const [userId, device] = [uuidField(request.body, 'user_id'), optionalDevice(request.body)]
        const call = callOf(service, request)
        assertSpeaksFor(request.identity, userId)
        return ok(answers.answered(calls.answer(call, userId, request.identity.device ?? device)))
      },
    },
    {
      method: 'DELETE',
      path: '/api/v1/calls/{call_id}',
      needsToken: true,
      handle: (request) => {
        idOf(request, 'call_id')
        const { body, identity } = request
        const userId = optionalUuid(body, 'user_id') ?? identity.userId
        const reasons = ['user_hangup', 'connection_failed', 'timeout'] as const
        const reason = wordField(body, 'reason', reasons, 'user_hangup' as const)
        const expected = wordField(body, 'expected_status', ['connecting', 'active'], undefined)
        const call = callOf(service, request)
        assertSpeaksFor(identity, userId)
        return ok(answers.ended(calls.end(call, userId, reason, expected), service.view()))
      },
    },
    {
      method: 'GET',
      path: '/api/v1/calls/{call_id}/status',
      needsToken: true,
      handle: (request) => {
        const call = callOf(service, request)
        return ok(answers.status(call, service.view(), (userId) => rooms.connectionStatus(call, userId)))
      },
    },
    {
      method: 'POST',
      path: '/api/v1/calls/{call_id}/ringing',
      needsToken: true,
      handle: (request) => {
        idOf(request, 'call_id')
        const userId = optionalUuid(request.body, 'user_id') ?? request.identity.userId
        const call = callOf(service, request)
        assertSpeaksFor(request.identity, userId)
        return ok(answers.ringing(calls.confirmRinging(call, userId), service.view()))
      },
    },
  ]
}

function userRoutes(service: Service): Route[] {
  const ownId = (request: Request): string => {
    const userId = idOf(request, 'user_id')
    assertSpeaksFor(request.identity, userId)
    return userId
  }
  return [
    {
      method: 'GET',
      path: '/api/v1/calls/user/{user_id}/active',
      needsToken: true,
      handle: (request) => {
        const userId = ownId(request)
        return ok(answers.activeCalls(service.calls.liveOf(userId), userId, service.view()))
      },
    },
    {
      method: 'GET',
      path: '/api/v1/calls/user/{user_id}/history',
      needsToken: true,
      handle: (request) => {
        const { identity, query } = request
        const headers = identity.isManager ? {} : service.limits.history.take(identity.userId)
        const filter = readFilter(query)
        const userId = ownId(request)
        return ok(historyPage(service.calls.historyOf(userId), filter, service.view()), headers)
      },
    },
  ]
}

function readFilter(query: URLSearchParams) {
  knownNames(query, ['limit', 'offset', 'call_type', 'status', 'cursor'])
  const words = Object.fromEntries(query)
  return {
    limit: integerOf(query, 'limit', [1, 200], 50),
    offset: integerOf(query, 'offset', [0, 2 ** 31 - 1], 0),
    type: wordField(words, 'call_type', ['voice', 'video'], undefined),
    status: wordField(words, 'status', ['completed', 'failed', 'missed'], undefined),
    cursor: query.get('cursor') ?? undefined,
  }
}

function presenceRoutes(service: Service): Route[] {
  const { presence, calls, clock } = service
  const visible = (request: Request): string => {
    const userId = idOf(request, 'user_id')
    if (!maySee(service, request.identity, userId))
      throw new MockError('FORBIDDEN', 'This user does not show their presence to you')
    return userId
  }
  const seen = (userId: string) => ({ user_id: userId, status: presence.statusOf(userId) })
  const last = (userId: string) => ({
    in_call: calls.liveOf(userId) !== undefined,
    last_seen: presence.lastSeen(userId),
  })
  return [
    {
      method: 'GET',
      path: '/api/v1/presence/status/{user_id}',
      needsToken: true,
      handle: (request) => {
        const userId = visible(request)
        return ok({ ...seen(userId), ...last(userId), call_id: calls.liveOf(userId)?.id ?? null })
      },
    },
    {
      method: 'GET',
      path: '/api/v1/presence/check/{user_id}',
      needsToken: true,
      handle: (request) => {
        const userId = visible(request)
        const [shown, more] = [seen(userId), last(userId)]
        return ok({ ...shown, ...more, available: shown.status === 'online' && !more.in_call })
      },
    },
    {
      method: 'PUT',
      path: '/api/v1/presence/status',
      needsToken: true,
      needsBody: true,
      handle: ({ identity, body }) => {
        const headers = identity.isManager ? {} : service.limits.presence.take(identity.userId)
        const status = wordField(body, 'status', ['online', 'offline'], undefined)
        if (status === undefined) throw invalidField('status', 'must be online or offline')
        const visibility = wordField(body, 'visibility', ['everyone', 'contacts', 'nobody'], undefined)
        const callId = optionalUuid(body, 'call_id')
        if (callId !== undefined) assertOwnLiveCall(service, callId, identity.userId)
        presence.set(identity.userId, status, visibility)
        return ok({ user_id: identity.userId, status, updated_at: clock.iso() }, headers)
      },
    },
  ]
}

function assertOwnLiveCall({ calls }: Service, callId: string, userId: string): void {
  const call = calls.require(callId)
  if (!isParticipant(call, userId)) throw new MockError('FORBIDDEN', 'The user has no part in this call')
  if (calls.liveOf(userId) !== call) throw new MockError('CALL_NOT_FOUND', 'Call session not found')
}

function otherRoutes(service: Service): Route[] {
  const { clock } = service
  const startedAt = clock.now()
  const health = () => {
    const seconds = Math.floor((clock.now() - startedAt) / 1000)
    const uptime = `${Math.floor(seconds / 60)}m${seconds % 60}s`
    return { status: 'healthy', service: 'calling', version: '1.0.0', timestamp: clock.iso(), uptime }
  }
  const check = (message: string) => ({ status: 'healthy', message, duration: '0.1ms' })
  const checks = {
    database: check('Everything is in memory'),
    redis: check('Everything is in memory'),
    webrtc: { status: 'healthy', message: 'WebRTC components are ready' },
  }
  return [
    {
      method: 'POST',
      path: '/api/v1/ws-ticket',
      needsToken: true,
      handle: ({ identity }) => {
        const headers = service.limits.ticket.take(identity.userId)
        const { ticket, expiresAtMs } = service.tickets.make(identity)
        const body = { ticket, expires_at: clock.iso(expiresAtMs), ttl_seconds: TICKET_TTL_MS / 1000 }
        return { status: 201, body, headers }
      },
    },
    {
      method: 'GET',
      path: '/api/v1/webrtc/ice-servers',
      needsToken: true,
      handle: () => ok({ iceServers: service.iceServers, ttl_seconds: 3600 }),
    },
    ...['', '/api/v1'].flatMap((prefix): Route[] => [
      { method: 'GET', path: `${prefix}/health`, needsToken: false, handle: () => ok(health()) },
      {
        method: 'GET',
        path: `${prefix}/health/detailed`,
        needsToken: false,
        handle: () => ok({ ...health(), checks }),
      },
    ]),
  ]
}
