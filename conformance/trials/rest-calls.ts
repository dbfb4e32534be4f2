/** The life of a call over REST, as the contract's endpoints describe it. */
import assert from 'node:assert/strict'
import { activeCalls, answered, assertError, assertShape, callStatus, ended, initiated } from '../shapes.ts'
import { trial } from '../trial.ts'

trial('initiate', 'a call is created with 201, rings, and has the contract’s fields', async (bench) => {
  const [caller, callee] = await bench.pair()
  for (const type of ['voice', 'video'] as const) {
    const answer = await bench.rest.initiate(caller, callee, { type })
    assert.equal(answer.status, 201, answer.text)
    const body = assertShape(initiated, answer.body)
    assert.ok(body.signaling_url.endsWith(`/ws/signaling/${body.call_id}`), body.signaling_url)
    const age = Date.now() - Date.parse(body.created_at)
    assert.ok(Math.abs(age) < 3_600_000, `created_at is ${age} ms ago`)
    await bench.rest.end(caller, body.call_id)
  }
})

trial('initiate', 'created_at and expires_at (additive) are a ring apart', async (bench) => {
  const [caller, callee] = await bench.pair()
  const { body } = await bench.rest.initiate(caller, callee)
  const ringMs = Date.parse(body.expires_at) - Date.parse(body.created_at)
  await bench.rest.end(caller, body.call_id)
  assert.equal(ringMs, 1000 * bench.settings.ringSeconds)
})

trial('initiate', 'an unknown call_type is INVALID_CALL_TYPE', async (bench) => {
  const [caller, callee] = await bench.pair()
  for (const type of ['fax', '', 'VOICE'])
    assertError(await bench.rest.initiate(caller, callee, { type }), 400, 'INVALID_CALL_TYPE')
})

trial('initiate', 'bad ids are INVALID_REQUEST and named', async (bench) => {
  const [caller, callee] = await bench.pair()
  const cases: [object, string][] = [
    [{ caller_id: caller.id, call_type: 'voice' }, 'callee_id'],
    [{ caller_id: caller.id, callee_id: 'someone', call_type: 'voice' }, 'callee_id'],
    [{ caller_id: caller.id, callee_id: caller.id, call_type: 'voice' }, 'callee_id'],
    [{ callee_id: callee.id, call_type: 'voice' }, 'caller_id'],
  ]
  for (const [body, field] of cases) {
    const answer = await bench.rest.request(caller, 'POST', '/api/v1/calls/initiate', { body })
    assertError(answer, 400, 'INVALID_REQUEST')
    assert.equal(answer.body.error.details?.field, field)
  }
})

trial('initiate', 'nobody calls in the name of another user', async (bench) => {
  const [one, other, third] = await bench.trio()
  const body = { caller_id: other.id, callee_id: third.id, call_type: 'voice' }
  assertError(await bench.rest.request(one, 'POST', '/api/v1/calls/initiate', { body }), 403, 'FORBIDDEN')
})

trial('initiate', 'a user in a call is USER_ALREADY_IN_CALL, as caller and as callee', async (bench) => {
  const [one, other, third] = await bench.trio()
  const call = await bench.ring(one, other)
  for (const busy of [one, other]) {
    const asCaller = await bench.rest.initiate(busy, third)
    assertError(asCaller, 409, 'USER_ALREADY_IN_CALL')
    assert.equal(asCaller.body.error.details?.call_id, call.id)
    const asCallee = await bench.rest.initiate(third, busy)
    assertError(asCallee, 409, 'USER_ALREADY_IN_CALL')
    assert.equal(asCallee.body.error.details?.call_id, undefined, 'whose call it is concerns nobody else')
  }
  await bench.rest.end(one, call.id)
  assert.equal((await bench.rest.initiate(third, other)).status, 201)
  const { body } = await bench.rest.active(third)
  await bench.rest.end(third, body.active_calls[0].call_id)
})

trial('answer', 'the callee’s answer makes the call active, with both participants', async (bench) => {
  const [caller, callee] = await bench.pair()
  const call = await bench.ring(caller, callee)
  const answer = await bench.rest.answer(callee, call.id)
  assert.equal(answer.status, 200, answer.text)
  const body = assertShape(answered, answer.body)
  assert.equal(body.call_id, call.id)
  const roles = body.participants.map(({ user_id, role }) => [user_id, role])
  assert.deepEqual(
    new Map(roles as [string, string][]),
    new Map([
      [caller.id, 'caller'],
      [callee.id, 'callee'],
    ]),
  )
})

trial('answer', 'only the callee answers', async (bench) => {
  const [caller, callee, stranger] = await bench.trio()
  const call = await bench.ring(caller, callee)
  assertError(await bench.rest.answer(caller, call.id), 403, 'FORBIDDEN')
  assertError(await bench.rest.answer(stranger, call.id), 403, 'FORBIDDEN')
  assert.equal((await bench.rest.status(callee, call.id)).body.status, 'connecting')
})

trial('answer', 'a call that is over cannot be answered', async (bench) => {
  const [caller, callee] = await bench.pair()
  const call = await bench.ring(caller, callee)
  await bench.rest.end(caller, call.id)
  assertError(await bench.rest.answer(callee, call.id), 409, 'CALL_ALREADY_ENDED')
})

trial('answer', 'an unknown call is CALL_NOT_FOUND, an id that is no UUID is INVALID_REQUEST', async (bench) => {
  const user = await bench.user()
  const unknown = '00000000-0000-4000-8000-000000000000'
  assertError(await bench.rest.answer(user, unknown), 404, 'CALL_NOT_FOUND')
  assertError(await bench.rest.answer(user, 'a-call'), 400, 'INVALID_REQUEST')
})

trial('end', 'either participant ends a live call, and its duration counts from the answer', async (bench) => {
  const [caller, callee] = await bench.pair()
  for (const one of [caller, callee]) {
    const call = await bench.talk(caller, callee)
    const answer = await bench.rest.end(one, call.id)
    assert.equal(answer.status, 200, answer.text)
    const body = assertShape(ended, answer.body)
    assert.deepEqual([body.call_id, body.status], [call.id, 'ended'])
    assert.ok(body.duration < 60, `a duration of ${body.duration} s`)
  }
})

trial('end', 'a call that nobody answered has the duration 0', async (bench) => {
  const [caller, callee] = await bench.pair()
  const call = await bench.ring(caller, callee)
  assert.deepEqual((await bench.rest.end(caller, call.id)).body.duration, 0)
})

trial('end', 'connection_failed ends in failed', async (bench) => {
  const [caller, callee] = await bench.pair()
  const call = await bench.talk(caller, callee)
  const answer = await bench.rest.end(callee, call.id, 'connection_failed')
  assert.deepEqual([answer.status, answer.body.status], [200, 'failed'])
  assert.equal((await bench.rest.status(caller, call.id)).body.status, 'failed')
})

trial('end', 'a call ends once', async (bench) => {
  const [caller, callee] = await bench.pair()
  const call = await bench.talk(caller, callee)
  await bench.rest.end(caller, call.id)
  assertError(await bench.rest.end(callee, call.id), 409, 'CALL_ALREADY_ENDED')
})

trial('end', 'strangers end no call, and unknown reasons are INVALID_REQUEST', async (bench) => {
  const [caller, callee, stranger] = await bench.trio()
  const call = await bench.ring(caller, callee)
  assertError(await bench.rest.end(stranger, call.id), 403, 'FORBIDDEN')
  assertError(await bench.rest.end(caller, call.id, 'boredom'), 400, 'INVALID_REQUEST')
  assertError(await bench.rest.end(caller, '00000000-0000-4000-8000-000000000000'), 404, 'CALL_NOT_FOUND')
  assert.equal((await bench.rest.status(caller, call.id)).body.status, 'connecting')
})

trial('end', 'a DELETE without a body hangs up for the user of the token', async (bench) => {
  const [caller, callee] = await bench.pair()
  const call = await bench.talk(caller, callee)
  const answer = await bench.rest.request(callee, 'DELETE', `/api/v1/calls/${call.id}`)
  assert.deepEqual([answer.status, answer.body.status], [200, 'ended'])
})

trial('status', 'both participants see the call as it is in each state', async (bench) => {
  const [caller, callee] = await bench.pair()
  const call = await bench.ring(caller, callee, 'video')
  const seen = async () => {
    const answers = await Promise.all([caller, callee].map((user) => bench.rest.status(user, call.id)))
    const [one, other] = answers.map(({ body }) => assertShape(callStatus, body))
    assert.deepEqual([one?.status, one?.participants], [other?.status, other?.participants])
    return one
  }
  const ringing = await seen()
  assert.deepEqual([ringing?.status, ringing?.type, ringing?.initiated_by], ['connecting', 'video', caller.id])
  assert.deepEqual(
    ringing?.participants.map(({ role, joined_at }) => [role, joined_at === null]),
    [
      ['caller', false],
      ['callee', true],
    ],
  )
  await bench.rest.answer(callee, call.id)
  const active = await seen()
  assert.equal(active?.status, 'active')
  assert.ok(active?.participants.every(({ joined_at }) => joined_at !== null))
  await bench.rest.end(callee, call.id)
  assert.equal((await seen())?.status, 'ended')
})

trial('status', 'strangers, and who asks for an unknown call, see nothing', async (bench) => {
  const [caller, callee, stranger] = await bench.trio()
  const call = await bench.ring(caller, callee)
  assertError(await bench.rest.status(stranger, call.id), 403, 'FORBIDDEN')
  assertError(await bench.rest.status(caller, '00000000-0000-4000-8000-000000000000'), 404, 'CALL_NOT_FOUND')
  assertError(await bench.rest.status(caller, 'a-call'), 400, 'INVALID_REQUEST')
})

trial('active', 'a live call is listed for both, and no more once it is over', async (bench) => {
  const [caller, callee] = await bench.pair()
  assert.deepEqual(assertShape(activeCalls, (await bench.rest.active(caller)).body).active_calls, [])
  const call = await bench.ring(caller, callee, 'video')
  for (const [user, other] of [
    [caller, callee],
    [callee, caller],
  ] as const) {
    const [active, ...more] = assertShape(activeCalls, (await bench.rest.active(user)).body).active_calls
    assert.equal(more.length, 0)
    assert.deepEqual(
      [active?.call_id, active?.type, active?.status, active?.other_participants],
      [call.id, 'video', 'connecting', [other.id]],
    )
  }
  await bench.rest.answer(callee, call.id)
  assert.equal((await bench.rest.active(caller)).body.active_calls[0].status, 'active')
  await bench.rest.end(caller, call.id)
  for (const user of [caller, callee]) assert.deepEqual((await bench.rest.active(user)).body.active_calls, [])
})

trial('privacy', 'nobody lists the calls of another user, live or over', async (bench) => {
  const [one, other] = await bench.pair()
  for (const what of ['active', 'history'])
    assertError(await bench.rest.request(one, 'GET', `/api/v1/calls/user/${other.id}/${what}`), 403, 'FORBIDDEN')
})
