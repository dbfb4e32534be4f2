/** What the server says to faults of a client, and whether the connection survives them. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Bench } from '../bench.ts'
import { type Connection, type Message, TRANSPORTS, type Transport } from '../drivers/connection.ts'
import { RawConnection } from '../drivers/raw.ts'
import { assertShape, type ErrorCode, envelope } from '../shapes.ts'
import { trial } from '../trial.ts'
import type { User } from '../users.ts'

interface Room {
  one: Connection
  callee: User
}

async function room(bench: Bench, transport: Transport, { joins = true } = {}): Promise<Room> {
  const [caller, callee] = await bench.pair()
  const call = await bench.talk(caller, callee)
  const one = await bench.connect(transport, caller, { callId: call.id })
  if (joins) await one.join()
  return { one, callee }
}

async function assertFault(connection: Connection, code: ErrorCode): Promise<Message> {
  const message = await connection.next('error')
  assertShape(envelope, message)
  assert.equal(message.error?.code, code, JSON.stringify(message))
  return message
}

/** A connection that survived goes on: a join is answered. */
const assertGoesOn = (connection: Connection) => connection.join()

for (const transport of TRANSPORTS) {
  trial('faults', `before joining everything but join-room is SIGNALING_ERROR (${transport})`, async (bench) => {
    const { one, callee } = await room(bench, transport, { joins: false })
    one.send(one.offer(callee, 'too early'))
    await assertFault(one, 'SIGNALING_ERROR')
    await assertGoesOn(one)
  })

  trial('faults', `unknown types and wrong fields are INVALID_REQUEST and named (${transport})`, async (bench) => {
    const { one, callee } = await room(bench, transport)
    one.send({ type: 'dance', call_id: one.callId })
    await assertFault(one, 'INVALID_REQUEST')
    const wrong: [object, string][] = [
      [{ sdp: 5 }, 'sdp'],
      [{ sdp: undefined }, 'sdp'],
      [{ to: 'somebody' }, 'to'],
    ]
    for (const [fields, field] of wrong) {
      one.send(one.offer(callee, 'wrong', fields))
      assert.equal((await assertFault(one, 'INVALID_REQUEST')).error?.details?.field, field)
    }
    await assertGoesOn(one)
  })

  trial(
    'faults',
    `ids of another call, another sender or another recipient are FORBIDDEN (${transport})`,
    async (bench) => {
      const { one, callee } = await room(bench, transport)
      for (const fields of [
        { call_id: randomUUID() },
        { from: callee.id },
        { to: randomUUID() },
        { to: one.user.id },
      ]) {
        one.send(one.offer(callee, 'forbidden', fields))
        await assertFault(one, 'FORBIDDEN')
      }
      one.send(one.message('join-room', { user_id: callee.id }))
      await assertFault(one, 'FORBIDDEN')
      await assertGoesOn(one)
    },
  )

  trial('faults', `an error names the id of the message at fault as ref (${transport})`, async (bench) => {
    const { one } = await room(bench, transport)
    one.send(one.message('offer', { from: one.user.id, to: one.user.id, sdp: 'to oneself', id: 'mine' }))
    assert.equal((await assertFault(one, 'FORBIDDEN')).ref, 'mine')
  })

  trial('faults', `a message over 64 KiB closes with 1009 (${transport})`, async (bench) => {
    const { one, callee } = await room(bench, transport)
    one.send(one.offer(callee, 'x'.repeat(70 * 1024)))
    if (transport === 'Socket.IO by polling') await one.closed
    else await one.assertClosedBy(1009)
  })

  trial(
    'faults',
    `more than 100 messages a second after a burst of 400 close with 1008 (${transport})`,
    async (bench) => {
      const { one, callee } = await room(bench, transport)
      for (let number = 0; number < 1_200 && one.isOpen; number++)
        one.send(one.candidate(callee, `candidate:${number}`))
      await one.assertClosedBy(1008)
      // Nobody polls when the answer to the last packets ends the session.
      if (transport !== 'Socket.IO by polling') assert.equal(one.all('error').at(-1)?.error?.code, 'RATE_LIMITED')
    },
  )

  trial('faults', `a user channel takes no message of a call (${transport})`, async (bench) => {
    const user = await bench.user()
    const channel = await bench.connect(transport, user)
    channel.send({ type: 'join-room', call_id: randomUUID(), user_id: user.id })
    await assertFault(channel, 'SIGNALING_ERROR')
    assert.ok(channel.isOpen)
  })
}

trial('faults', 'a frame that is not JSON, or binary, closes with 1003', async (bench) => {
  const [caller, callee] = await bench.pair()
  const call = await bench.talk(caller, callee)
  for (const send of [
    (one: Connection) => one.sendText('{"type":'),
    (one: Connection) => one.sendBinary(Buffer.from('{"type":"join-room"}')),
  ]) {
    const one = await bench.connect('raw WebSocket', caller, { callId: call.id })
    send(one)
    await assertFault(one, 'INVALID_REQUEST')
    await one.assertClosedBy(1003)
  }
})

trial('faults', 'a name given twice is INVALID_REQUEST, and nothing of it is delivered', async (bench) => {
  const { one, callee } = await room(bench, 'raw WebSocket')
  const other = await bench.connect('raw WebSocket', callee, { callId: one.callId ?? '' })
  await other.join()
  const offer = JSON.stringify(one.offer(callee, 'twice'))
  one.sendText(offer.replace('{', '{"type":"call-status",'))
  await assertFault(one, 'INVALID_REQUEST')
  one.sendText(offer.replace('{', '{"\\u0074ype":"call-status",'))
  await assertFault(one, 'INVALID_REQUEST')
  one.send(one.offer(callee, 'once'))
  assert.equal((await other.next('offer')).sdp, 'once')
  assert.equal(other.all('offer').length, 1)
})

trial('faults', 'pings count as messages do: a flood of them closes with 1008', async (bench) => {
  const { one } = await room(bench, 'raw WebSocket')
  assert.ok(one instanceof RawConnection)
  for (let number = 0; number < 1_200 && one.isOpen; number++) one.ping(Buffer.from('ping'))
  await one.assertClosedBy(1008)
})

trial('faults', 'what a client sends after it was told of the end is not delivered', async (bench) => {
  const { one, callee } = await room(bench, 'raw WebSocket')
  const other = await bench.connect('raw WebSocket', callee, { callId: one.callId ?? '' })
  await other.join()
  await bench.rest.end(callee, one.callId ?? '')
  await one.next(({ status }) => status === 'ended')
  if (one.isOpen) one.send(one.offer(callee, 'too late'))
  await other.assertClosedBy(1000)
  assert.equal(other.all('offer').length, 0)
})
