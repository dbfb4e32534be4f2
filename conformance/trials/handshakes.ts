/** Who is let in to a socket, by which way, and how the others are refused. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Bench } from '../bench.ts'
import { type Opening, Refused, TRANSPORTS, type Transport } from '../drivers/connection.ts'
import { assertError, type ErrorCode } from '../shapes.ts'
import { trial } from '../trial.ts'
import type { User } from '../users.ts'

async function assertRefused(
  bench: Bench,
  transport: Transport,
  user: User,
  opening: Opening,
  expected: { status: number; code: ErrorCode },
): Promise<void> {
  const opened = await bench.connect(transport, user, opening).catch((error: unknown) => error)
  assert.ok(opened instanceof Refused, `${transport} let it in instead of refusing it with ${expected.code}`)
  assert.equal(opened.code, expected.code)
  // Socket.IO tells of a refusal inside of a connection that stands.
  if (transport === 'raw WebSocket') assert.equal(opened.status, expected.status)
}

for (const transport of TRANSPORTS) {
  trial(
    'connection',
    `participants connect to their call, while it rings and while it lives (${transport})`,
    async (bench) => {
      const [caller, callee] = await bench.pair()
      const call = await bench.ring(caller, callee)
      await bench.connect(transport, caller, { callId: call.id })
      await bench.rest.answer(callee, call.id)
      await bench.connect(transport, callee, { callId: call.id })
    },
  )

  trial(
    'refusals',
    `without a token, to an unknown call, to a call of others, to one that is over (${transport})`,
    async (bench) => {
      const [caller, callee, stranger] = await bench.trio()
      const call = await bench.ring(caller, callee)
      await assertRefused(
        bench,
        transport,
        caller,
        { callId: call.id, token: '' },
        { status: 401, code: 'UNAUTHORIZED' },
      )
      await assertRefused(bench, transport, stranger, { callId: call.id }, { status: 403, code: 'FORBIDDEN' })
      await assertRefused(bench, transport, caller, { callId: randomUUID() }, { status: 404, code: 'CALL_NOT_FOUND' })
      await assertRefused(bench, transport, caller, { callId: 'a-call' }, { status: 400, code: 'INVALID_REQUEST' })
      await bench.rest.end(caller, call.id)
      await assertRefused(bench, transport, caller, { callId: call.id }, { status: 409, code: 'CALL_ALREADY_ENDED' })
    },
  )

  trial('tickets', `a ticket opens one connection in place of a token (${transport})`, async (bench) => {
    const user = await bench.user()
    const made = await bench.rest.request(user, 'POST', '/api/v1/ws-ticket')
    assert.equal(made.status, 201, made.text)
    assert.equal(Date.parse(made.body.expires_at) > 0 && made.body.ttl_seconds, 30)
    await bench.connect(transport, user, { ticket: made.body.ticket })
    await assertRefused(bench, transport, user, { ticket: made.body.ticket }, { status: 401, code: 'UNAUTHORIZED' })
    const asToken = { id: user.id, token: made.body.ticket }
    assertError(await bench.rest.active(asToken), 401, 'UNAUTHORIZED')
  })
}

trial('connection', 'a raw WebSocket takes its token from the Authorization header, too', async (bench) => {
  const [caller, callee] = await bench.pair()
  const call = await bench.ring(caller, callee)
  const headers = { authorization: `Bearer ${caller.token}` }
  const connection = await bench.connect('raw WebSocket', caller, { callId: call.id, token: '', headers })
  await connection.join()
})

trial('connection', 'a plain HTTP request to a socket path is told to upgrade', async (bench) => {
  const user = await bench.user()
  assertError(await bench.rest.request(user, 'GET', '/ws/events'), 426, 'INVALID_REQUEST')
})
