/** Joining and leaving, and who is told. */
import assert from 'node:assert/strict'
import type { Bench } from '../bench.ts'
import { type Connection, TRANSPORTS, type Transport } from '../drivers/connection.ts'
import { assertShape, time } from '../shapes.ts'
import { trial } from '../trial.ts'

/** Both participants of an answered call, connected by these transports, the caller first. */
async function connected(bench: Bench, ...transports: [Transport, Transport]): Promise<[Connection, Connection]> {
  const [caller, callee] = await bench.pair()
  const call = await bench.talk(caller, callee)
  return [
    await bench.connect(transports[0], caller, { callId: call.id }),
    await bench.connect(transports[1], callee, { callId: call.id }),
  ]
}

const sorted = (ids: string[] | undefined) => [...(ids ?? [])].sort()

for (const transport of TRANSPORTS) {
  trial('join', `the joiner is answered by user-joined and call-status (${transport})`, async (bench) => {
    const [one] = await connected(bench, transport, transport)
    const { joined, status } = await one.join()
    assert.deepEqual(joined.participants, [one.user.id])
    assert.deepEqual([joined.call_id, status.call_id, status.status], [one.callId, one.callId, 'active'])
    assertShape(time, status.timestamp)
  })

  trial('join', `the other one is told of a first join, and not of a repeated one (${transport})`, async (bench) => {
    const [one, other] = await connected(bench, transport, transport)
    await one.join()
    const { joined } = await other.join()
    const both = sorted([one.user.id, other.user.id])
    assert.deepEqual(sorted(joined.participants), both)
    const told = await one.next((message) => message.type === 'user-joined' && message.user_id === other.user.id)
    assert.deepEqual(sorted(told.participants), both)
    await other.join()
    other.send(other.offer(one.user, 'after the second join'))
    await one.next('offer')
    assert.equal(one.all('user-joined').filter(({ user_id }) => user_id === other.user.id).length, 1)
  })

  trial(
    'leave',
    `leave-room tells the other one, and the one who left may join again (${transport})`,
    async (bench) => {
      const [one, other] = await connected(bench, transport, transport)
      await one.join()
      await other.join()
      other.send(other.message('leave-room', { user_id: other.user.id }))
      const left = await one.next('user-left')
      assert.deepEqual([left.user_id, left.participants], [other.user.id, [one.user.id]])
      assert.equal(other.all('user-left').length, 0)
      await other.join()
      await one.next('user-joined')
    },
  )

  trial('leave', `a clean close is a leave at once (${transport})`, async (bench) => {
    const [one, other] = await connected(bench, transport, transport)
    await one.join()
    await other.join()
    other.close()
    assert.equal((await one.next('user-left')).user_id, other.user.id)
  })

  trial('callStatus', `each change of the call reaches both on all their connections (${transport})`, async (bench) => {
    const [caller, callee] = await bench.pair()
    const call = await bench.ring(caller, callee)
    const [one, channel] = [
      await bench.connect(transport, caller, { callId: call.id }),
      await bench.connect(transport, callee),
    ]
    await one.join()
    await bench.rest.answer(callee, call.id)
    const other = await bench.connect(transport, callee, { callId: call.id })
    for (const connection of [one, channel])
      await connection.next((message) => message.type === 'call-status' && message.status === 'active')
    await bench.rest.end(callee, call.id)
    for (const connection of [one, channel, other]) {
      const over = await connection.next((message) => message.type === 'call-status' && message.status === 'ended')
      assert.equal(over.call_id, call.id)
      assertShape(time, over.timestamp)
    }
  })

  trial('callStatus', `version (additive) rises with every change (${transport})`, async (bench) => {
    const [caller, callee] = await bench.pair()
    const call = await bench.ring(caller, callee)
    const one = await bench.connect(transport, caller, { callId: call.id })
    await one.join()
    await bench.rest.answer(callee, call.id)
    await bench.rest.end(caller, call.id)
    await one.next(({ status }) => status === 'ended')
    const versions = one.all('call-status').map(({ version }) => version)
    assert.deepEqual(versions, [1, 2, 3])
  })

  trial(
    'closeCodes',
    `the connections of a call close with 1000 when it is over, user channels stay (${transport})`,
    async (bench) => {
      const [one, other] = await connected(bench, transport, transport)
      const channel = await bench.connect(transport, one.user)
      await one.join()
      await other.join()
      await bench.rest.end(other.user, one.callId ?? '')
      for (const connection of [one, other]) {
        await connection.assertClosedBy(1000)
        assert.equal(connection.received.at(-1)?.type, 'call-status', 'call-status is the last message')
      }
      await channel.next(({ status }) => status === 'ended')
      assert.ok(channel.isOpen)
    },
  )
}

trial('transports', 'raw WebSocket, Socket.IO and polling share one room', async (bench) => {
  const [caller, callee] = await bench.pair()
  for (const [first, second] of [
    ['raw WebSocket', 'Socket.IO'],
    ['Socket.IO by polling', 'raw WebSocket'],
  ] as const) {
    const call = await bench.talk(caller, callee)
    const one = await bench.connect(first, caller, { callId: call.id })
    const other = await bench.connect(second, callee, { callId: call.id })
    await one.join()
    await other.join()
    one.send(one.offer(callee, first))
    assert.equal((await other.next('offer')).sdp, first)
    other.send(other.answer(caller, second))
    assert.equal((await one.next('answer')).sdp, second)
    await bench.rest.end(caller, call.id)
  }
})
