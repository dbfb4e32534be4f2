/** Several devices of one user. A device is the token's device_id, else the client's; a `jti` never names one. */
import assert from 'node:assert/strict'
import { type Connection, type Message, Refused, TRANSPORTS } from '../drivers/connection.ts'
import { assertError } from '../shapes.ts'
import { trial } from '../trial.ts'

const isActive = ({ status }: Message) => status === 'active'

for (const transport of TRANSPORTS) {
  trial(
    'devices',
    `after an answer by a device the others are told, and let go with 1000 (${transport})`,
    async (bench) => {
      const [caller, callee] = await bench.pair()
      const call = await bench.ring(caller, callee)
      const phone = await bench.connect(transport, callee, { callId: call.id, deviceId: 'phone' })
      const tablet = await bench.connect(transport, callee, { callId: call.id, deviceId: 'tablet' })
      const desk = await bench.connect(transport, callee, { deviceId: 'desk' })
      await phone.join()
      await tablet.join()
      await bench.rest.answer(callee, call.id, { device_id: 'phone' })
      for (const device of [phone, tablet, desk])
        assert.equal((await device.next(isActive)).answered_by_device, 'phone')
      await tablet.assertClosedBy(1000)
      await phone.join()
      assert.ok(desk.isOpen, 'a user channel stays')
      const later = await bench
        .connect(transport, callee, { callId: call.id, deviceId: 'tablet' })
        .catch((error: unknown) => error)
      if (!(later instanceof Refused)) {
        await (later as Connection).next(isActive)
        await (later as Connection).assertClosedBy(1000)
      }
    },
  )

  trial('devices', `a newer connection of a device takes the place of the older one (${transport})`, async (bench) => {
    const [caller, callee] = await bench.pair()
    const call = await bench.talk(caller, callee, 'phone')
    const older = await bench.connect(transport, callee, { callId: call.id, deviceId: 'phone' })
    await older.join()
    const newer = await bench.connect(transport, callee, { callId: call.id, deviceId: 'phone' })
    await newer.join()
    assert.equal((await older.next('error')).error?.code, 'CONFLICT')
    await older.assertClosedBy(4409)
    const other = await bench.connect(transport, caller, { callId: call.id })
    await other.join()
    newer.send(newer.offer(caller, 'still here'))
    await other.next('offer')
  })
}

trial(
  'devices',
  'repeating an answer is harmless from the device that has answered, and CONFLICT from others',
  async (bench) => {
    const [caller, callee] = await bench.pair()
    const call = await bench.talk(caller, callee, 'phone')
    assert.equal((await bench.rest.answer(callee, call.id, { device_id: 'phone' })).status, 200)
    for (const body of [{ device_id: 'tablet' }, {}]) {
      const refused = await bench.rest.answer(callee, call.id, body)
      assertError(refused, 409, 'CONFLICT')
      assert.equal(refused.body.error.details?.answered_by_device, 'phone')
    }
  },
)

trial('devices', 'a token renewed with another jti is the same device', ['secret'], async (bench) => {
  const [caller, callee] = await bench.pair()
  const call = await bench.ring(caller, callee)
  const first = bench.as(callee, { jti: '1' })
  const second = bench.as(callee, { jti: '2' })
  await bench.rest.answer(first, call.id, { device_id: 'phone' })
  for (const token of [first, second]) {
    const connection = await bench.connect('raw WebSocket', token, { callId: call.id, deviceId: 'phone' })
    await connection.join()
  }
})

trial('devices', 'the device_id of a token goes before the one that the client says', ['secret'], async (bench) => {
  const [caller, callee] = await bench.pair()
  const call = await bench.ring(caller, callee)
  const phone = bench.as(callee, { device_id: 'phone' })
  await bench.rest.answer(phone, call.id, { device_id: 'something else' })
  const connection = await bench.connect('Socket.IO', phone, { callId: call.id, deviceId: 'another' })
  const { status } = await connection.join()
  assert.equal(status.answered_by_device, 'phone')
})

trial(
  'devices',
  'expected_status keeps a late decline from ending the call that another device has answered',
  async (bench) => {
    const [caller, callee] = await bench.pair()
    const call = await bench.talk(caller, callee, 'phone')
    const late = await bench.rest.end(callee, call.id, 'user_hangup', { expected_status: 'connecting' })
    assertError(late, 409, 'CONFLICT')
    assert.equal((await bench.rest.status(caller, call.id)).body.status, 'active')
  },
)
