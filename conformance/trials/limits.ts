/** The limits of the contract: the last request within is served, the next one is not. */
import assert from 'node:assert/strict'
import { Refused, TRANSPORTS } from '../drivers/connection.ts'
import { assertError } from '../shapes.ts'
import { trial } from '../trial.ts'

// Users who were lent to other trials have used up a part of their minute: only new ones tell the exact number.
trial('rateLimits', 'ten calls a minute, and the eleventh is RATE_LIMITED', ['secret'], async (bench) => {
  const [caller, ...callees] = await bench.users(12)
  if (caller === undefined) throw new Error('a user')
  for (const callee of callees.slice(0, 10)) {
    const answer = await bench.rest.initiate(caller, callee, { takesLimits: true })
    assert.equal(answer.status, 201, answer.text)
    await bench.rest.end(caller, answer.body.call_id)
  }
  const refused = await bench.rest.initiate(caller, callees[10] ?? caller, { takesLimits: true })
  assertError(refused, 429, 'RATE_LIMITED')
  assert.ok(Number(refused.headers.get('retry-after')) <= 60)
  assert.equal(refused.headers.get('ratelimit-limit'), '10')
})

trial('rateLimits', 'a hundred presence updates a minute', ['secret'], async (bench) => {
  const user = await bench.user()
  const put = () =>
    bench.rest.request(user, 'PUT', '/api/v1/presence/status', { body: { status: 'online' }, takesLimits: true })
  for (let count = 0; count < 100; count++) assert.equal((await put()).status, 200, `update ${count + 1}`)
  assertError(await put(), 429, 'RATE_LIMITED')
})

trial('rateLimits', 'a hundred history queries a minute', ['secret'], async (bench) => {
  const user = await bench.user()
  const get = () => bench.rest.request(user, 'GET', `/api/v1/calls/user/${user.id}/history`, { takesLimits: true })
  for (let count = 0; count < 100; count++) assert.equal((await get()).status, 200, `query ${count + 1}`)
  assertError(await get(), 429, 'RATE_LIMITED')
})

for (const transport of TRANSPORTS)
  for (const kind of ['user channels', 'connections to a call'] as const)
    trial('rateLimits', `five ${kind} of a user, and the sixth is RATE_LIMITED (${transport})`, async (bench) => {
      const [user, other] = await bench.pair()
      const opening = kind === 'user channels' ? {} : { callId: (await bench.ring(user, other)).id }
      const five = []
      for (let count = 0; count < 5; count++) five.push(await bench.connect(transport, user, opening))
      const sixth = await bench.connect(transport, user, opening).catch((error: unknown) => error)
      assert.ok(sixth instanceof Refused, 'the sixth connection was let in')
      assert.equal(sixth.code, 'RATE_LIMITED')
      if (transport === 'raw WebSocket') assert.equal(sixth.status, 429)
      assert.ok(five.every((connection) => connection.isOpen))
    })

trial('rateLimits', 'calls that nobody answers are limited for each callee', ['secret'], async (bench) => {
  const [caller, callee, other] = await bench.trio()
  for (let count = 0; count < 8; count++) {
    const call = await bench.ring(caller, callee)
    await bench.rest.end(callee, call.id)
  }
  assertError(await bench.rest.initiate(caller, callee, { takesLimits: true }), 429, 'RATE_LIMITED')
  const call = await bench.ring(caller, other)
  await bench.rest.end(caller, call.id)
})
