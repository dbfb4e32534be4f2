/** The endpoints of a call. */
import { isParticipant } from '../calls/call.ts'
import { invalidField, MockError } from '../errors.ts'
import { assertSpeaksFor, maySee, type Service } from '../service.ts'
import * as answers from './answers.ts'
import { callTypeField, flagField, optionalDevice, optionalUuid, uuidField, wordField } from './fields.ts'
import { idOf, ok, type Reply, type Request, type Route } from './route.ts'

export function callRoutes(service: Service): Route[] {
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

function callOf(service: Service, request: Request) {
  const id = idOf(request, 'call_id')
  const call = service.calls.require(id)
  if (!isParticipant(call, request.identity.userId) && !request.identity.isManager)
    throw new MockError('FORBIDDEN', 'The user has no part in this call')
  return call
}
