/** What every error looks like, whatever its cause. `rest.ts` checks the envelope of each answer. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { assertError } from '../shapes.ts'
import { trial } from '../trial.ts'

trial('errors', 'an unknown path is NOT_FOUND, also without a token', async (bench) => {
  for (const path of ['/api/v1/nothing', '/api/v2/calls/initiate', '/api/v1/calls/a/b/c/d'])
    assertError(await bench.rest.request(undefined, 'GET', path), 404, 'NOT_FOUND')
})

trial('errors', 'another method is 405 and names those that there are', async (bench) => {
  const user = await bench.user()
  const answer = await bench.rest.request(user, 'PATCH', '/api/v1/calls/initiate')
  assertError(answer, 405, 'INVALID_REQUEST')
  assert.match(answer.headers.get('allow') ?? '', /POST/)
})

trial('errors', 'a body that is not JSON is INVALID_REQUEST', async (bench) => {
  const user = await bench.user()
  for (const raw of ['{"caller_id":', 'null', '[]', '"text"'])
    assertError(await bench.rest.request(user, 'POST', '/api/v1/calls/initiate', { raw }), 400, 'INVALID_REQUEST')
})

trial('errors', 'another content type is 415', async (bench) => {
  const user = await bench.user()
  const headers = { 'content-type': 'text/plain' }
  const answer = await bench.rest.request(user, 'POST', '/api/v1/calls/initiate', { raw: 'caller_id=1', headers })
  assertError(answer, 415, 'INVALID_REQUEST')
})

trial('errors', 'a body over 64 KiB is 413', async (bench) => {
  const user = await bench.user()
  const body = { caller_id: user.id, callee_id: randomUUID(), call_type: 'voice', note: 'x'.repeat(65 * 1024) }
  assertError(await bench.rest.request(user, 'POST', '/api/v1/calls/initiate', { body }), 413, 'INVALID_REQUEST')
})

trial('errors', 'X-Request-Id is taken where it is a UUID, and made where it is not', async (bench) => {
  const user = await bench.user()
  const id = randomUUID()
  const path = `/api/v1/calls/user/${user.id}/active`
  const taken = await bench.rest.request(user, 'GET', path, { headers: { 'x-request-id': id } })
  assert.equal(taken.headers.get('x-request-id'), id)
  const made = await bench.rest.request(user, 'GET', path, { headers: { 'x-request-id': 'mine' } })
  assert.notEqual(made.headers.get('x-request-id'), 'mine')
})

trial('errors', 'the token is judged before the body, and the body before the call', async (bench) => {
  const user = await bench.user()
  const unknown = '/api/v1/calls/00000000-0000-4000-8000-000000000000/answer'
  assertError(await bench.rest.request(undefined, 'PUT', unknown, { raw: '{' }), 401, 'UNAUTHORIZED')
  assertError(await bench.rest.request(user, 'PUT', unknown, { raw: '{' }), 400, 'INVALID_REQUEST')
  assertError(await bench.rest.request(user, 'PUT', unknown, { body: { user_id: 5 } }), 400, 'INVALID_REQUEST')
  assertError(await bench.rest.request(user, 'PUT', unknown, { body: { user_id: user.id } }), 404, 'CALL_NOT_FOUND')
})

trial('errors', 'ids are taken in any letter case and answered in lower case', async (bench) => {
  const [caller, callee] = await bench.pair()
  const body = { caller_id: caller.id.toUpperCase(), callee_id: callee.id.toUpperCase(), call_type: 'voice' }
  const made = await bench.rest.request(caller, 'POST', '/api/v1/calls/initiate', { body })
  assert.equal(made.status, 201, made.text)
  const seen = await bench.rest.status(callee, made.body.call_id.toUpperCase())
  await bench.rest.end(caller, made.body.call_id)
  assert.deepEqual([seen.body.call_id, seen.body.initiated_by], [made.body.call_id, caller.id])
})
