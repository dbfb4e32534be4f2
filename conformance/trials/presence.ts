/** Who is there, and who may know. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { assertError, assertShape, availability, presence, presenceSet } from '../shapes.ts'
import { trial } from '../trial.ts'
import type { User } from '../users.ts'

const statusOf = async (bench: Bench, who: User, of: User) =>
  assertShape(presence, (await bench.rest.request(who, 'GET', `/api/v1/presence/status/${of.id}`)).body)
const checkOf = async (bench: Bench, who: User, of: User) =>
  assertShape(availability, (await bench.rest.request(who, 'GET', `/api/v1/presence/check/${of.id}`)).body)
const set = (bench: Bench, user: User, body: object) =>
  bench.rest.request(user, 'PUT', '/api/v1/presence/status', { body })

/** Presence follows connections within a moment. */
async function becomes(bench: Bench, who: User, of: User, status: 'online' | 'offline'): Promise<void> {
  const deadline = Date.now() + bench.settings.patienceMs
  while ((await statusOf(bench, who, of)).status !== status) {
    assert.ok(Date.now() < deadline, `${status} was not seen in time`)
    await pause(100)
  }
}

trial('setPresence', 'a user sets online and offline, and others see it', async (bench) => {
  const [user, other] = await bench.pair()
  for (const status of ['offline', 'online'] as const) {
    const answer = await set(bench, user, { status })
    assert.equal(answer.status, 200, answer.text)
    const body = assertShape(presenceSet, answer.body)
    assert.deepEqual([body.user_id, body.status], [user.id, status])
    assert.equal((await statusOf(bench, other, user)).status, status)
  }
})

trial('setPresence', 'offline holds while the user is connected', async (bench) => {
  const [user, other] = await bench.pair()
  await bench.connect('raw WebSocket', user)
  await becomes(bench, other, user, 'online')
  await set(bench, user, { status: 'offline' })
  await bench.connect('Socket.IO', user)
  const seen = await statusOf(bench, other, user)
  await set(bench, user, { status: 'online' })
  assert.equal(seen.status, 'offline')
})

trial('setPresence', 'an unknown status is INVALID_REQUEST, and an unknown call CALL_NOT_FOUND', async (bench) => {
  const user = await bench.user()
  for (const body of [{}, { status: 'away' }, { status: 'online', call_id: 'mine' }])
    assertError(await set(bench, user, body), 400, 'INVALID_REQUEST')
  const call_id = '00000000-0000-4000-8000-000000000000'
  assertError(await set(bench, user, { status: 'online', call_id }), 404, 'CALL_NOT_FOUND')
})

trial('setPresence', 'a call of others is FORBIDDEN', async (bench) => {
  const [caller, callee, stranger] = await bench.trio()
  const call = await bench.ring(caller, callee)
  assertError(await set(bench, stranger, { status: 'online', call_id: call.id }), 403, 'FORBIDDEN')
  assert.equal((await set(bench, caller, { status: 'online', call_id: call.id })).status, 200)
})

trial('presence', 'a live call shows, with its id, and goes with its end', async (bench) => {
  const [caller, callee] = await bench.pair()
  const call = await bench.ring(caller, callee)
  const during = await statusOf(bench, caller, callee)
  assert.deepEqual([during.in_call, during.call_id], [true, call.id])
  await bench.rest.end(caller, call.id)
  const after = await statusOf(bench, caller, callee)
  assert.deepEqual([after.in_call, after.call_id ?? null], [false, null])
})

trial('presence', 'a connection makes its user online', async (bench) => {
  const [user, other] = await bench.pair()
  await set(bench, user, { status: 'online' })
  await bench.connect('raw WebSocket', user)
  await becomes(bench, other, user, 'online')
  assert.notEqual((await statusOf(bench, other, user)).last_seen, null)
})

trial('presence', 'a user who was never seen is offline and was last seen never', ['secret'], async (bench) => {
  const [user, other] = await bench.pair()
  const seen = await statusOf(bench, user, other)
  assert.deepEqual([seen.status, seen.in_call, seen.last_seen], ['offline', false, null])
})

trial('presence', 'an id that is no UUID is INVALID_REQUEST', async (bench) => {
  const user = await bench.user()
  for (const what of ['status', 'check'])
    assertError(await bench.rest.request(user, 'GET', `/api/v1/presence/${what}/somebody`), 400, 'INVALID_REQUEST')
})

trial('availability', 'available is online and not in a call', async (bench) => {
  const [user, other] = await bench.pair()
  await set(bench, user, { status: 'online' })
  const idle = await checkOf(bench, other, user)
  assert.deepEqual([idle.available, idle.status, idle.in_call], [true, 'online', false])
  const call = await bench.ring(user, other)
  assert.deepEqual(
    [(await checkOf(bench, other, user)).available, (await checkOf(bench, other, user)).in_call],
    [false, true],
  )
  await bench.rest.end(user, call.id)
  await set(bench, user, { status: 'offline' })
  const offline = await checkOf(bench, other, user)
  await set(bench, user, { status: 'online' })
  assert.deepEqual([offline.available, offline.status], [false, 'offline'])
})

trial('availability', 'a callee who has set offline is USER_NOT_AVAILABLE', async (bench) => {
  const [caller, callee] = await bench.pair()
  await set(bench, callee, { status: 'offline' })
  const refused = await bench.rest.initiate(caller, callee)
  await set(bench, callee, { status: 'online' })
  assertError(refused, 409, 'USER_NOT_AVAILABLE')
})

trial('visibility', 'nobody hides the presence from others, and not from oneself', async (bench) => {
  const [user, other] = await bench.pair()
  await set(bench, user, { status: 'online', visibility: 'nobody' })
  const paths = ['status', 'check'].map((what) => `/api/v1/presence/${what}/${user.id}`)
  const hidden = await Promise.all(paths.map((path) => bench.rest.request(other, 'GET', path)))
  const own = await statusOf(bench, user, user)
  await set(bench, user, { status: 'online', visibility: 'everyone' })
  for (const answer of hidden) assertError(answer, 403, 'FORBIDDEN')
  assert.equal(own.status, 'online')
})

trial('visibility', 'contacts are those with whom a call was answered', ['secret'], async (bench) => {
  const [user, other, stranger] = await bench.trio()
  await set(bench, user, { status: 'online', visibility: 'contacts' })
  const path = `/api/v1/presence/status/${user.id}`
  assertError(await bench.rest.request(other, 'GET', path), 403, 'FORBIDDEN')
  const call = await bench.talk(other, user)
  await bench.rest.end(user, call.id)
  assert.equal((await bench.rest.request(other, 'GET', path)).status, 200)
  assertError(await bench.rest.request(stranger, 'GET', path), 403, 'FORBIDDEN')
})
