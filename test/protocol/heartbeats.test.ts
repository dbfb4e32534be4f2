/** Pings of Engine.IO v4 go from the server to the client, and a client that does not answer is gone. */
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall, type TestCall } from '../support/calls.ts'
import { impatientCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { connectPacket, isStatus, joinPacket } from './conversation.ts'
import { engineUrl, PollingSession } from './polling-session.ts'
import { destroyAllWires, OPCODE, Wire } from './wire.ts'

/** The impatient cluster's; see there. */
const PING_INTERVAL_MS = 250
const PING_TIMEOUT_MS = 2_000

describe('heartbeats', () => {
  let cluster: Cluster
  let call: TestCall

  before(async function () {
    this.timeout(60_000)
    cluster = await impatientCluster()
  })
  beforeEach(async () => {
    call = await newCall(cluster)
  })
  afterEach(destroyAllWires)

  const origin = () => cluster.gateway(0).url
  const openWire = (query: Record<string, string> = {}) =>
    Wire.open(engineUrl(origin(), 'websocket', { call_id: call.id, ...query }))

  it('are announced as they are configured', async () => {
    const { open } = await PollingSession.start(origin(), { call_id: call.id })

    expect(open).to.include({ pingInterval: PING_INTERVAL_MS, pingTimeout: PING_TIMEOUT_MS })
  })

  it('are pinged by WebSocket as long as they are answered, also without a CONNECT', async () => {
    const wire = await openWire()
    const startedAt = Date.now()

    for (let count = 0; count < 12; count++) {
      await wire.nextText((packet) => packet === '2')
      wire.sendText('3')
    }

    expect(Date.now() - startedAt).to.be.greaterThan(PING_TIMEOUT_MS)
  })

  it('are pinged by polling as long as they are answered', async () => {
    const session = await PollingSession.start(origin(), { call_id: call.id })

    for (let count = 0; count < 4; count++) {
      expect(await session.poll()).to.include({ status: 200, body: '2' })
      expect(await session.post('3')).to.include({ status: 200, body: 'ok' })
    }
  })

  it('end a WebSocket and a polling session that do not answer, and a raw WebSocket', async () => {
    const startedAt = Date.now()
    const wire = await openWire()
    const session = await PollingSession.start(origin(), { call_id: call.id })
    const raw = await Wire.open(`${origin().replace('http', 'ws')}/ws/signaling/${call.id}?token=${call.caller.token}`)

    await Promise.all([wire.nextClose(), raw.end()])
    const polled = eventually(async () => expect((await session.poll()).status).to.equal(400))

    await polled
    expect(Date.now() - startedAt).to.be.greaterThan(PING_TIMEOUT_MS)
  })

  it('of RFC 6455 come on the raw path, empty, and any answer will do', async () => {
    const raw = await Wire.open(`${origin()}/ws/signaling/${call.id}?token=${call.caller.token}`)
    const startedAt = Date.now()

    for (let count = 0; Date.now() - startedAt < PING_INTERVAL_MS + PING_TIMEOUT_MS + 1_000; count++) {
      const frame = await raw.next()
      expect(frame?.opcode).to.equal(OPCODE.PING)
      // A pong without the ping's content, or a message, is a sign of life as well.
      if (count % 2 === 0) raw.send(OPCODE.PONG, 'other')
      else raw.send(OPCODE.PING)
      if (count % 2 === 1) expect((await raw.next())?.opcode).to.equal(OPCODE.PONG)
    }
  })

  it('go on over the WebSocket after an upgrade', async () => {
    const session = await PollingSession.start(origin(), { call_id: call.id })
    await session.post(connectPacket(call.caller))
    await session.nextWhere((packet) => packet.startsWith('40'))
    const wire = await openWire({ sid: session.open.sid })
    wire.sendText('2probe')
    await wire.nextText((packet) => packet === '3probe')
    await session.nextWhere((packet) => packet === '6')
    wire.sendText('5')
    wire.sendText(joinPacket(call, call.caller))
    // On a busy machine pings come before the status does.
    await wire.nextText((packet) => {
      if (packet === '2') wire.sendText('3')
      return isStatus(packet)
    })

    for (let count = 0; count < 3; count++) {
      await wire.nextText((packet) => packet === '2')
      wire.sendText('3')
    }
  })
})
