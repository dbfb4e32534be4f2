/** The endpoints of a user: what they do now, what they did before, and whether they are there. */
import { isParticipant } from '../calls/call.ts'
import { invalidField, MockError } from '../errors.ts'
import { assertSpeaksFor, maySee, type Service } from '../service.ts'
import * as answers from './answers.ts'
import { integerOf, knownNames, optionalUuid, wordField } from './fields.ts'
import { historyPage } from './history-page.ts'
import { idOf, ok, type Request, type Route } from './route.ts'

export function userRoutes(service: Service): Route[] {
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

export function presenceRoutes(service: Service): Route[] {
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
