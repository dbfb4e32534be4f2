/** Offers, answers and candidates: to the other one alone, unchanged, in order. */
import assert from 'node:assert/strict'
import type { Bench } from '../bench.ts'
import { type Connection, TRANSPORTS, type Transport } from '../drivers/connection.ts'
import { SocketIoConnection } from '../drivers/socket-io.ts'
import { trial } from '../trial.ts'

async function joined(bench: Bench, transport: Transport): Promise<[Connection, Connection]> {
  const [caller, callee] = await bench.pair()
  const call = await bench.talk(caller, callee)
  const one = await bench.connect(transport, caller, { callId: call.id })
  const other = await bench.connect(transport, callee, { callId: call.id })
  await one.join()
  await other.join()
  return [one, other]
}

/** A message as it was sent: additive fields of the server are left out. */
function asSent({ seq: _seq, ...message }: Record<string, unknown>): unknown {
  return message
}

for (const transport of TRANSPORTS) {
  trial('relay', `offer, answer and candidate arrive as they were sent (${transport})`, async (bench) => {
    const [one, other] = await joined(bench, transport)
    const sdp = 'v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=Ünïcödé 😀 "quoted"\r\n'
    const messages = [
      one.offer(other.user, sdp),
      one.candidate(other.user, 'candidate:1 1 udp 2122260223 192.0.2.1 54321 typ host'),
      one.candidate(other.user, '', { sdp_mid: null, sdp_m_line_index: null }),
      one.offer(other.user, sdp, { later: { additive: [1, null, true] } }),
    ]
    for (const message of messages) {
      one.send(message)
      assert.deepEqual(asSent(await other.next(message.type)), message)
    }
    const answer = other.answer(one.user, sdp)
    other.send(answer)
    assert.deepEqual(asSent(await one.next('answer')), answer)
  })

  trial('relay', `a candidate needs neither sdp_mid nor sdp_m_line_index (${transport})`, async (bench) => {
    const [one, other] = await joined(bench, transport)
    const message = one.message('candidate', { from: one.user.id, to: other.user.id, candidate: 'candidate:1' })
    one.send(message)
    assert.deepEqual(asSent(await other.next('candidate')), message)
  })

  trial('relay', `the sender gets nothing of its own, and messages stay in order (${transport})`, async (bench) => {
    const [one, other] = await joined(bench, transport)
    for (let number = 0; number < 50; number++) one.send(one.candidate(other.user, `candidate:${number}`))
    for (let number = 0; number < 50; number++)
      assert.equal((await other.next('candidate')).candidate, `candidate:${number}`)
    assert.equal(one.all('candidate').length, 0)
    assert.equal(other.all('candidate').length, 50)
  })

  trial('relay', `a message of 60 KiB passes (${transport})`, async (bench) => {
    const [one, other] = await joined(bench, transport)
    const sdp = 'x'.repeat(60 * 1024)
    one.send(one.offer(other.user, sdp))
    assert.equal((await other.next('offer')).sdp?.length, sdp.length)
  })

  trial('absence', `what is sent before the other one joins waits, in order (${transport})`, async (bench) => {
    const [caller, callee] = await bench.pair()
    const call = await bench.ring(caller, callee)
    const one = await bench.connect(transport, caller, { callId: call.id })
    await one.join()
    one.send(one.offer(callee, 'early'))
    one.send(one.candidate(callee, 'candidate:1'))
    await one.sendAndAck(one.candidate(callee, 'candidate:2'))
    await bench.rest.answer(callee, call.id)
    const other = await bench.connect(transport, callee, { callId: call.id })
    await other.join()
    const came = [await other.next('offer'), await other.next('candidate'), await other.next('candidate')]
    assert.deepEqual(
      came.map(({ sdp, candidate }) => sdp ?? candidate),
      ['early', 'candidate:1', 'candidate:2'],
    )
  })

  trial(
    'acks',
    `a message with an id is acked, and a repeated id is not delivered twice (${transport})`,
    async (bench) => {
      const [one, other] = await joined(bench, transport)
      const offer = one.offer(other.user, 'once', { id: 7 })
      const first = await one.sendAndAck(offer)
      const second = await one.sendAndAck(offer)
      assert.deepEqual([first.type, second.type, second.seq], ['ack', 'ack', first.seq])
      await one.sendAndAck(one.offer(other.user, 'twice', { id: '7' }))
      await other.next(({ sdp }) => sdp === 'twice')
      assert.deepEqual(
        other.all('offer').map(({ sdp, id }) => [sdp, id]),
        [
          ['once', 7],
          ['twice', '7'],
        ],
      )
    },
  )
}

trial('acks', 'a Socket.IO callback is answered by ok and seq, or by the error', async (bench) => {
  const [one, other] = await joined(bench, 'Socket.IO')
  assert.ok(one instanceof SocketIoConnection)
  const taken = await one.call(one.offer(other.user, 'with a callback'))
  assert.equal(taken.ok, true)
  assert.equal(typeof taken.seq, 'string')
  const refused = await one.call(one.message('offer', { from: one.user.id, to: one.user.id, sdp: 'to oneself' }))
  assert.deepEqual([refused.ok, refused.error?.code], [false, 'FORBIDDEN'])
})
