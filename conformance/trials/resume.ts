/** Coming back after a loss: nothing acked is missing, nothing comes twice, and nothing is promised that is not so. */
import assert from 'node:assert/strict'
import type { Bench } from '../bench.ts'
import { type Connection, TRANSPORTS, type Transport } from '../drivers/connection.ts'
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

for (const transport of TRANSPORTS) {
  trial(
    'resume',
    `since gives what was missed, once and in order, and rejoins by itself (${transport})`,
    async (bench) => {
      const [one, other] = await joined(bench, transport)
      await one.sendAndAck(one.offer(other.user, 'before'))
      const { seq } = await other.next('offer')
      other.drop()
      for (const number of [1, 2, 3]) await one.sendAndAck(one.candidate(other.user, `candidate:${number}`))
      const back = await bench.connect(transport, other.user, { callId: one.callId ?? '', since: seq })
      const { joined: greeting, status } = await back.greeting()
      assert.equal(greeting.user_id, other.user.id)
      assert.equal(status.status, 'active')
      const resumed = await back.next('resumed')
      assert.deepEqual([resumed.recovered, resumed.count], [true, 3])
      for (const number of [1, 2, 3]) assert.equal((await back.next('candidate')).candidate, `candidate:${number}`)
      await back.join()
      one.send(one.offer(other.user, 'after'))
      await back.next(({ sdp }) => sdp === 'after')
      assert.equal(back.all('candidate').length, 3)
      assert.equal(back.all('offer').length, 1)
    },
  )

  trial(
    'resume',
    `a since of nobody’s is answered by recovered: false, and signaling goes on (${transport})`,
    async (bench) => {
      const [one, other] = await joined(bench, transport)
      other.drop()
      const back = await bench.connect(transport, other.user, { callId: one.callId ?? '', since: 'mine-1' })
      assert.equal((await back.next('resumed')).recovered, false)
      one.send(one.offer(other.user, 'after'))
      await back.next(({ sdp }) => sdp === 'after')
    },
  )

  trial('resume', `within the grace the other one notices nothing of a loss (${transport})`, async (bench) => {
    const [one, other] = await joined(bench, transport)
    one.send(one.offer(other.user, 'before'))
    const { seq } = await other.next('offer')
    other.drop()
    const back = await bench.connect(transport, other.user, { callId: one.callId ?? '', since: seq })
    await back.next('resumed')
    back.send(back.answer(one.user, 'after'))
    await one.next('answer')
    assert.equal(one.all('user-left').length, 0)
    assert.equal(one.all('user-joined').filter(({ user_id }) => user_id === other.user.id).length, 1)
  })

  trial('absence', `a rejoin without since gets what came while it was away (${transport})`, async (bench) => {
    const [one, other] = await joined(bench, transport)
    other.drop()
    await one.sendAndAck(one.offer(other.user, 'meanwhile'))
    const back = await bench.connect(transport, other.user, { callId: one.callId ?? '' })
    await back.join()
    assert.equal((await back.next('offer')).sdp, 'meanwhile')
  })
}

trial('leave', 'a loss is told when the grace of ten seconds is over', async (bench) => {
  const [one, other] = await joined(bench, 'raw WebSocket')
  const lostAt = Date.now()
  other.drop()
  const deadline = lostAt + 30_000 + bench.settings.patienceMs
  while (one.all('user-left').length === 0 && Date.now() < deadline) await one.next('user-left').catch(() => undefined)
  assert.equal(one.all('user-left')[0]?.user_id, other.user.id)
})

trial('status', 'connection_status follows joins and losses', async (bench) => {
  const [one, other] = await joined(bench, 'raw WebSocket')
  const becomes = async (wanted: string) => {
    const deadline = Date.now() + bench.settings.patienceMs
    for (;;) {
      const { body } = await bench.rest.status(one.user, one.callId ?? '')
      const seen = body.participants.find(({ user_id }: { user_id: string }) => user_id === other.user.id)
      if (seen?.connection_status === wanted) return
      assert.ok(Date.now() < deadline, `${wanted} was not seen in time, but ${seen?.connection_status}`)
    }
  }
  await becomes('connected')
  other.drop()
  await becomes('disconnected')
})

trial('connectionState', 'what a client reports (additive) becomes its connection_status', async (bench) => {
  const [one, other] = await joined(bench, 'Socket.IO')
  const report = (state: string) =>
    other.sendAndAck(other.message('connection-state', { user_id: other.user.id, state }))
  assert.equal((await report('disconnected')).type, 'ack')
  const { body } = await bench.rest.status(one.user, one.callId ?? '')
  const seen = body.participants.find(({ user_id }: { user_id: string }) => user_id === other.user.id)
  assert.equal(seen?.connection_status, 'disconnected')
  await report('failed')
  assert.equal((await one.next('error')).error?.code, 'WEBRTC_CONNECTION_FAILED')
})

trial('iceServers', 'a joined connection that asks (additive) is answered, and nobody else', async (bench) => {
  const [one, other] = await joined(bench, 'raw WebSocket')
  one.send(one.message('ice-servers', { user_id: one.user.id }))
  const { iceServers, ttl_seconds } = await one.next('ice-servers')
  assert.ok(Array.isArray(iceServers) && Number(ttl_seconds) > 0)
  await one.sendAndAck(one.offer(other.user, 'after'))
  await other.next('offer')
  assert.equal(other.all('ice-servers').length, 0)
})
