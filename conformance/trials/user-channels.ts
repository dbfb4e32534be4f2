/** Ringing: on every device of the callee, once, and no longer than the call rings. */
import assert from 'node:assert/strict'
import { TRANSPORTS } from '../drivers/connection.ts'
import { assertError, assertShape, time, uuid } from '../shapes.ts'
import { trial } from '../trial.ts'

for (const transport of TRANSPORTS) {
  trial(
    'incoming',
    `a call rings on all devices of the callee, and not at the caller’s (${transport})`,
    async (bench) => {
      const [caller, callee] = await bench.pair()
      const devices = [await bench.connect(transport, callee), await bench.connect('raw WebSocket', callee)]
      const own = await bench.connect(transport, caller)
      const call = await bench.ring(caller, callee, 'video')
      for (const device of devices) {
        const ring = await device.next('incoming-call')
        assert.deepEqual([ring.call_id, ring.caller_id, ring.call_type], [call.id, caller.id, 'video'])
        for (const field of ['created_at', 'expires_at', 'server_time']) assertShape(time, ring[field])
        assert.ok(ring.signaling_url?.endsWith(`/ws/signaling/${call.id}`))
      }
      await bench.rest.end(caller, call.id)
      for (const device of devices)
        await device.next(({ status, call_id }) => call_id === call.id && status === 'ended')
      await own.next(({ status }) => status === 'ended')
      assert.equal(own.all('incoming-call').length, 0)
      for (const device of devices) assert.equal(device.all('incoming-call').length, 1)
    },
  )

  trial('incoming', `a device that connects later rings, too, while the call does (${transport})`, async (bench) => {
    const [caller, callee] = await bench.pair()
    const call = await bench.ring(caller, callee)
    const late = await bench.connect(transport, callee)
    assertShape(uuid, (await late.next('incoming-call')).call_id)
    await bench.rest.answer(callee, call.id)
    await late.next(({ status }) => status === 'active')
    const later = await bench.connect(transport, callee)
    await bench.rest.end(callee, call.id)
    await later.next(({ status }) => status === 'ended')
    assert.equal(later.all('incoming-call').length, 0)
  })

  trial('ringing', `a receipt tells the caller that a device rings (${transport})`, async (bench) => {
    const [caller, callee] = await bench.pair()
    const [own, device] = [await bench.connect(transport, caller), await bench.connect(transport, callee)]
    const call = await bench.ring(caller, callee)
    await device.next('incoming-call')
    const receipt = { type: 'ringing', call_id: call.id, user_id: callee.id }
    assert.equal((await device.sendAndAck(receipt)).type, 'ack')
    const told = await own.next('call-status')
    assert.deepEqual([told.status, told.ring_state], ['connecting', 'ringing'])
    await bench.rest.answer(callee, call.id)
    await device.next(({ status }) => status === 'active')
    const late = await device.sendAndAck(receipt)
    assert.equal(late.error?.code, 'CONFLICT')
  })
}

trial('ringing', 'POST /calls/{call_id}/ringing is a receipt over REST, of the callee alone', async (bench) => {
  const [caller, callee] = await bench.pair()
  const call = await bench.ring(caller, callee)
  const path = `/api/v1/calls/${call.id}/ringing`
  assertError(await bench.rest.request(caller, 'POST', path), 403, 'FORBIDDEN')
  const taken = await bench.rest.request(callee, 'POST', path, { body: { user_id: callee.id } })
  assert.deepEqual([taken.status, taken.body.ring_state], [200, 'ringing'])
  assert.equal((await bench.rest.status(caller, call.id)).body.ring_state, 'ringing')
  await bench.rest.end(caller, call.id)
  assertError(await bench.rest.request(callee, 'POST', path), 409, 'CALL_ALREADY_ENDED')
})

trial('closeCodes', 'a user channel closes with 4401 when its token ends', ['secret'], async (bench) => {
  const user = await bench.user()
  const short = bench.as(user, { exp: Math.floor(Date.now() / 1000) + 2 })
  const channel = await bench.connect('raw WebSocket', short)
  await channel.assertClosedBy(4401)
  assert.equal(channel.all('error').at(-1)?.error?.code, 'UNAUTHORIZED')
})
