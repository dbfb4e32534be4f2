/** What a connection may cost, whatever it sends: frames, packets, unfinished messages, and answers that nobody takes. */
import { connect } from 'node:net'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall, type TestCall } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { patient } from '../support/patience.ts'
import { candidatePacket, connectPacket, isError, isStatus, joinPacket, readCandidate } from './conversation.ts'
import { engineUrl, PollingSession, request, SEPARATOR } from './polling-session.ts'
import { destroyAllWires, encodeFrame, OPCODE, Wire } from './wire.ts'

const { TEXT, CONTINUATION, PING, PONG } = OPCODE
/** More than may be sent at once. */
const FLOOD = 600
const PACKETS_PER_POLL = 16
const KIB = 1024

/** Frames that carry no message, each of a kind of its own. */
const EMPTY_FRAMES: Record<string, (index: number) => Buffer> = {
  pings: () => encodeFrame(PING, 'x'.repeat(125)),
  pongs: () => encodeFrame(PONG),
  'empty fragments': (index) => encodeFrame(index === 0 ? TEXT : CONTINUATION, '', { fin: false }),
}

/** Every kind of connection that takes frames. */
const DOORS: Record<string, (origin: string, call: TestCall) => Promise<Wire>> = {
  'a call connection': (origin, call) => Wire.open(`${origin}/ws/signaling/${call.id}?token=${call.caller.token}`),
  'a user channel': (origin, call) => Wire.open(`${origin}/ws/events?token=${call.caller.token}`),
  'Socket.IO without a token': (origin) => Wire.open(engineUrl(origin, 'websocket', {})),
  'Socket.IO in its namespace': async (origin, call) => {
    const wire = await Wire.open(engineUrl(origin, 'websocket', { call_id: call.id }))
    wire.sendText(connectPacket(call.caller))
    await wire.nextText((packet) => packet.startsWith('40'))
    return wire
  },
}

/** What an HTTP connection begins and does not end. */
const UNFINISHED: Record<string, string> = {
  'a head that does not end': 'GET / HTTP/1.1\r\nHost: x\r\n',
  'a body that does not end': 'POST /socket.io/?EIO=4 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n4',
}

describe('frame limits', () => {
  let cluster: Cluster
  let call: TestCall
  let origin: string

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
    origin = cluster.gateway(0).url
  })
  beforeEach(async () => {
    call = await newCall(cluster)
  })
  afterEach(destroyAllWires)

  async function joinPolling(): Promise<PollingSession> {
    const session = await PollingSession.start(origin, { call_id: call.id })
    await session.post(connectPacket(call.caller))
    await session.next()
    await session.post(joinPacket(call, call.caller))
    await session.nextWhere(isStatus)
    return session
  }

  for (const [door, open] of Object.entries(DOORS)) {
    describe(`of ${door}`, () => {
      for (const [kind, frame] of Object.entries(EMPTY_FRAMES))
        it(`close with 1008 on a flood of ${kind}`, async () => {
          const wire = await open(origin, call)

          wire.write(Buffer.concat(Array.from({ length: FLOOD }, (_, index) => frame(index))))

          expect(await wire.nextClose()).to.equal(1008)
        })

      it('close with 1009 on the announcement of a large message, before it comes', async () => {
        const wire = await open(origin, call)

        wire.write(encodeFrame(TEXT, 'x'.repeat(100 * KIB)).subarray(0, 20))

        expect(await wire.nextClose()).to.equal(1009)
      })
    })
  }

  it('answer every ping of a client that takes the answers', async () => {
    const wire = await Wire.open(`${origin}/ws/signaling/${call.id}?token=${call.caller.token}`)

    wire.write(Buffer.concat(Array.from({ length: 200 }, (_, index) => encodeFrame(PING, String(index)))))

    for (let index = 0; index < 200; index++) expect(String((await wire.next())?.payload)).to.equal(String(index))
  })

  it('end a polling session on a flood of control packets', async () => {
    const session = await joinPolling()

    // As every client by polling does, it has a poll open while it sends.
    const told = session.nextWhere((packet) => isError(packet) || packet === '1')
    await session.post(...Array.from({ length: FLOOD - 200 }, () => '6'))
    await session.post(...Array.from({ length: FLOOD - 200 }, () => '6')).catch(() => {})

    expect(await told).to.include('RATE_LIMITED')
  })

  it('end a session without a token on more packets than a handshake takes, by polling too', async () => {
    const session = await PollingSession.start(origin)

    const { status } = await session.post(...Array.from({ length: 100 }, () => '40/other,'))

    expect(status).to.equal(429)
    expect((await session.poll()).status).to.equal(400)
  })

  it('end a session whose CONNECT is refused again and again', async () => {
    const wire = await Wire.open(engineUrl(origin, 'websocket', {}))

    const startedAt = Date.now()

    for (let attempt = 0; attempt < 8; attempt++) wire.sendText('40{"token":"nonsense"}')

    await wire.nextText((packet) => packet.startsWith('44'))
    await wire.nextClose()
    // Sooner than a connection that never joins.
    expect(Date.now() - startedAt).to.be.below(8_000)
  })

  it('put at most 16 packets into a poll, in order, and the close after the last of them', async () => {
    const session = await joinPolling()
    const callee = await call.callee.joinAs('raw', { at: 0 })
    for (let sent = 0; sent < 99; sent++) callee.candidate(String(sent))
    await callee.sendAndAck(callee.candidateMessage('99'))
    await call.end()

    const packets: string[] = []
    while (!packets.includes('1')) {
      const { status, body } = await session.poll()
      expect(status).to.equal(200)
      expect(body.split(SEPARATOR)).to.have.length.at.most(PACKETS_PER_POLL)
      packets.push(...body.split(SEPARATOR))
    }
    const wanted = Array.from({ length: 100 }, (_, index) => String(index))
    expect(packets.map(readCandidate).filter((candidate) => candidate !== undefined)).to.deep.equal(wanted)
    expect(packets.filter((packet) => packet !== '6').at(-2)).to.equal('41')
  })

  it('refuse a CONNECT with more than 16 KiB beside its token, and take a token of 16 KiB', async () => {
    const auth = { token: call.caller.token, padding: 'x'.repeat(17 * KIB) }
    const wire = await Wire.open(engineUrl(origin, 'websocket', {}))
    wire.sendText(`40${JSON.stringify(auth)}`)
    expect(await wire.nextText((packet) => packet.startsWith('4'))).to.match(/^44\{.*INVALID_REQUEST/)

    const padded = call.caller.tokenWith({ name: 'x'.repeat(12 * KIB) })
    expect(padded.length).to.be.above(16 * KIB)
    const other = await Wire.open(engineUrl(origin, 'websocket', {}))
    other.sendText(`40${JSON.stringify({ token: padded })}`)
    expect(await other.nextText((packet) => packet.startsWith('4'))).to.match(/^40\{/)
  })

  it('leave an HTTP answer an HTTP answer where polling comes with an Upgrade header alone', async () => {
    const upgrade = { Upgrade: 'websocket', Connection: undefined, 'Sec-WebSocket-Key': undefined }
    const { status, body } = await Wire.refusal(engineUrl(origin, 'polling', { call_id: call.id }), upgrade)
    expect(status).to.equal(200)
    const { sid } = JSON.parse(body.slice(1)) as { sid: string }
    const url = engineUrl(origin, 'polling', { call_id: call.id, sid })
    await request(url, { method: 'POST', body: connectPacket(call.caller) })
    expect((await request(url)).body).to.match(/^40/)
    await request(url, { method: 'POST', body: joinPacket(call, call.caller) })

    const packets: string[] = []
    while (!packets.some(isStatus)) packets.push(...(await request(url)).body.split(SEPARATOR))
    expect(packets[0]).to.match(/^42\["user-joined"/)
    await request(url, { method: 'POST', body: candidatePacket(call, 'x', 1) })
    expect((await request(url)).body).to.match(/^431\[/)
  })

  it('answer what is refused on the public port in the envelope', async () => {
    const session = await PollingSession.start(origin)
    const put = await request(session.url, { method: 'PUT' })
    const expectation = await ask(origin, 'GET / HTTP/1.1\r\nHost: x\r\nExpect: x\r\n\r\n')
    const malformed = await ask(origin, 'nonsense\r\n\r\n')
    const large = await ask(origin, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100 * KIB)}\r\n\r\n`)
    const bytes = await request(session.url, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: '40',
    })

    expect([put.status, bytes.status]).to.deep.equal([405, 400])
    for (const body of [put.body, bytes.body])
      expect(JSON.parse(body)).to.have.nested.property('error.code', 'INVALID_REQUEST')
    for (const [answer, status] of [
      [expectation, 417],
      [malformed, 400],
      [large, 431],
    ] as const) {
      expect(answer).to.match(new RegExp(`^HTTP/1.1 ${status} `))
      expect(answer).to.include('"code":"INVALID_REQUEST"')
    }
  })
})

describe('limits of time', () => {
  /** All wait at once, each as long as the gateway lets it. */
  const closes = new Map<string, Promise<number | undefined>>()
  const ends = new Map<string, Promise<number>>()
  let neverConnected: ReturnType<typeof endOfNeverConnected>

  before(async function () {
    this.timeout(60_000)
    const cluster = await sharedCluster()
    const origin = cluster.gateway(0).url
    const call = await newCall(cluster)
    for (const [door, open] of Object.entries(DOORS)) closes.set(door, closeOfUnfinished(await open(origin, call)))
    for (const [name, head] of Object.entries(UNFINISHED)) ends.set(name, msUntilEnd(origin, head))
    neverConnected = endOfNeverConnected(origin)
    // Their tests say what went wrong; until then nobody listens.
    for (const waiting of [...closes.values(), ...ends.values(), neverConnected]) waiting.catch(() => {})
  })
  after(destroyAllWires)

  for (const door of Object.keys(DOORS))
    it(`close ${door} with 1008 on a message that does not come to its end`, async function () {
      this.timeout(40_000)
      expect(await closes.get(door)).to.equal(1008)
    })

  for (const name of Object.keys(UNFINISHED))
    it(`end a connection with ${name} within 15 s`, async function () {
      this.timeout(40_000)
      expect(await ends.get(name)).to.be.below(30_000)
    })

  it('end what never asks for the namespace within 10 s, by polling and by WebSocket', async function () {
    this.timeout(40_000)
    const { tookMs, polled } = await neverConnected

    expect(polled).to.match(/^1$|400/)
    expect(tookMs).to.be.within(8_000, 10_000 + patient(5_000))
  })
})

/** Two sessions without a CONNECT: how long they last, and the last that the one by polling hears. */
async function endOfNeverConnected(origin: string): Promise<{ tookMs: number; polled: string }> {
  const startedAt = Date.now()
  const wire = await Wire.open(engineUrl(origin, 'websocket', {}))
  const session = await PollingSession.start(origin)
  const polled = session.nextWhere((packet) => packet === '1').catch((error: Error) => error.message)
  await wire.nextClose()
  return { polled: await polled, tookMs: Date.now() - startedAt }
}

/** Begins a message and never ends it; signs of life do not help it. */
async function closeOfUnfinished(wire: Wire): Promise<number | undefined> {
  wire.send(TEXT, '{', { fin: false })
  const alive = setInterval(() => wire.send(PING), 1_000)
  try {
    return await wire.nextClose()
  } finally {
    clearInterval(alive)
  }
}

async function msUntilEnd(origin: string, text: string): Promise<number> {
  const startedAt = Date.now()
  await ask(origin, text)
  return Date.now() - startedAt
}

/** Everything that comes until the server ends the connection. */
function ask(origin: string, text: string): Promise<string> {
  const { hostname, port } = new URL(origin)
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) })
    let answer = ''
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1')
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
    socket.write(text)
  })
}
