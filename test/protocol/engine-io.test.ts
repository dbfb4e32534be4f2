/** Engine.IO v4: sessions, payloads, upgrades and packets, as text on the wire. */
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall, type TestCall } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import {
  candidatePacket,
  connectPacket,
  eventPacket,
  isError,
  isJoined,
  isStatus,
  joinPacket,
  readCandidate,
} from './conversation.ts'
import { engineUrl, type HttpReply, type OpenPacket, PollingSession, request, SEPARATOR } from './polling-session.ts'
import { destroyAllWires, encodeFrame, type HttpAnswer, OPCODE, Wire } from './wire.ts'

/** What the product offers: the pings of the decisions, and packets that are read so that they can be refused. */
const OFFER = { pingInterval: 10_000, pingTimeout: 8_000, maxPayload: 256 * 1024 }

const CODES = {
  transport: { code: 0, message: 'Transport unknown' },
  sid: { code: 1, message: 'Session ID unknown' },
  method: { code: 2, message: 'Bad handshake method' },
  request: { code: 3, message: 'Bad request' },
  version: { code: 5, message: 'Unsupported protocol version' },
}

/** Queries that open no session by polling. */
const BAD_REQUESTS: Record<string, [query: string, error: { code: number; message: string }, method?: string]> = {
  'no version': ['transport=polling', CODES.version],
  'version 3': ['EIO=3&transport=polling', CODES.version],
  'a version that is no number': ['EIO=abc&transport=polling', CODES.version],
  'no transport': ['EIO=4', CODES.transport],
  'an unknown transport': ['EIO=4&transport=abc', CODES.transport],
  'a transport of the prototype': ['EIO=4&transport=constructor', CODES.transport],
  'a WebSocket that does not upgrade': ['EIO=4&transport=websocket', CODES.request],
  'POST without a session': ['EIO=4&transport=polling', CODES.method, 'POST'],
  'PUT without a session': ['EIO=4&transport=polling', CODES.method, 'PUT'],
  'an unknown session': ['EIO=4&transport=polling&sid=unknown', CODES.sid],
  'a session of the prototype': ['EIO=4&transport=polling&sid=__proto__', CODES.sid],
  'POST to an unknown session': ['EIO=4&transport=polling&sid=unknown', CODES.sid, 'POST'],
}

/** The same by WebSocket. */
const BAD_UPGRADES: Record<string, string> = {
  'no version': 'transport=websocket',
  'version 3': 'EIO=3&transport=websocket',
  'a version that is no number': 'EIO=abc&transport=websocket',
  'the transport that does not upgrade': 'EIO=4&transport=polling',
  'no transport': 'EIO=4',
  'an unknown transport': 'EIO=4&transport=abc',
  'an unknown session': 'EIO=4&transport=websocket&sid=unknown',
}

/** Upgrades that are none, of a good query. */
const BAD_HEADERS: Record<string, Record<string, string>> = {
  'another version of WebSocket': { 'Sec-WebSocket-Version': '12' },
  'another protocol': { Upgrade: 'h2c' },
}

function expectRefused({ status, headers, body }: HttpAnswer): void {
  expect(status).to.be.oneOf([400, 426])
  expect(headers['content-type']).to.match(/^application\/json/)
  expect(JSON.parse(body)).to.have.nested.property('error.code', 'INVALID_REQUEST')
}

const BAD_PACKETS: Record<string, string> = {
  'a packet type that nobody knows': '9',
  'a packet that is no packet': 'abc',
  'an empty packet': '',
  'a ping, which is the server’s to send': '2',
}

for (const entry of ['a gateway', 'the edge'] as const) {
  describe(`Engine.IO at ${entry}`, () => {
    let cluster: Cluster
    let origin: string
    let call: TestCall

    before(async function () {
      this.timeout(60_000)
      cluster = await sharedCluster()
      origin = entry === 'the edge' ? cluster.url : cluster.gateway(0).url
    })
    beforeEach(async () => {
      call = await newCall(cluster)
    })
    afterEach(destroyAllWires)

    const startPolling = () => PollingSession.start(origin, { call_id: call.id })
    const openWire = (query: Record<string, string> = {}) =>
      Wire.open(engineUrl(origin, 'websocket', { call_id: call.id, ...query }))

    async function joinPolling(): Promise<PollingSession> {
      const session = await startPolling()
      await session.post(connectPacket(call.caller))
      expect(await session.next()).to.match(/^40\{"sid":"/)
      await session.post(joinPacket(call, call.caller))
      await session.nextWhere(isStatus)
      return session
    }

    async function joinWire(): Promise<Wire> {
      const wire = await openWire()
      wire.sendText(connectPacket(call.caller))
      await wire.nextText((packet) => packet.startsWith('40'))
      wire.sendText(joinPacket(call, call.caller))
      await wire.nextText(isStatus)
      return wire
    }

    describe('handshake', () => {
      it('opens a session by polling that can be upgraded', async () => {
        const { status, body, headers } = await request(engineUrl(origin, 'polling', { call_id: call.id }))

        expect(status).to.equal(200)
        expect(headers.get('content-type')).to.equal('text/plain; charset=UTF-8')
        expect(body[0]).to.equal('0')
        const { sid, ...rest } = JSON.parse(body.slice(1)) as OpenPacket
        expect(sid).to.match(/^[0-9a-f]{16}\.[\w-]{20}$/)
        expect(rest).to.deep.equal({ upgrades: ['websocket'], ...OFFER })
      })

      it('opens a session by WebSocket with the same packet, and nothing to upgrade to', async () => {
        const wire = await openWire()

        const packet = await wire.nextText()

        expect(packet[0]).to.equal('0')
        const { sid, ...rest } = JSON.parse(packet.slice(1)) as OpenPacket
        expect(sid).to.match(/^[0-9a-f]{16}\.[\w-]{20}$/)
        expect(rest).to.deep.equal({ upgrades: [], ...OFFER })
      })

      for (const [name, [query, error, method = 'GET']] of Object.entries(BAD_REQUESTS)) {
        it(`by polling refuses ${name}`, async () => {
          const { status, body } = await request(`${origin}/socket.io/?${query}&call_id=${call.id}`, { method })

          expect(status).to.equal(400)
          expect(JSON.parse(body)).to.include(error).and.to.have.nested.property('error.code', 'INVALID_REQUEST')
        })
      }

      for (const [name, query] of Object.entries(BAD_UPGRADES)) {
        it(`by WebSocket refuses ${name}`, async () => {
          expectRefused(await Wire.refusal(`${origin}/socket.io/?${query}&call_id=${call.id}`))
        })
      }

      for (const [name, headers] of Object.entries(BAD_HEADERS)) {
        it(`by WebSocket refuses ${name}`, async () => {
          expectRefused(await Wire.refusal(engineUrl(origin, 'websocket', { call_id: call.id }), headers))
        })
      }

      it('lets a page of any origin in by CORS where nothing else is configured', async () => {
        const { status, headers } = await request(engineUrl(origin, 'polling', {}), {
          method: 'OPTIONS',
          headers: { origin: 'https://page.example', 'access-control-request-method': 'POST' },
        })

        expect(status).to.equal(204)
        expect(headers.get('access-control-allow-origin')).to.equal('*')
      })
    })

    describe('polling', () => {
      it('takes several packets in one payload and sends several in one, in order', async () => {
        const session = await joinPolling()
        const callee = await call.callee.joinAs()
        await session.nextWhere(isJoined)

        const names = ['1', 'é 📞', '3']
        const posted = await session.post(...names.map((name) => candidatePacket(call, name)))

        expect(posted.status).to.equal(200)
        expect(posted.body).to.equal('ok')
        for (const name of names) {
          expect(await callee.next('candidate')).to.have.property('candidate', name)
          callee.candidate(name)
        }
        // Its ack says that the candidates before it were sent to the session, too.
        await callee.sendAndAck(callee.candidateMessage('last'))
        const packets: string[] = []
        while (!packets.some((packet) => readCandidate(packet) === 'last')) {
          const { status, body } = await session.poll()
          expect(status).to.equal(200)
          packets.push(...body.split(SEPARATOR))
        }
        expect(packets.map(readCandidate).filter(Boolean)).to.deep.equal([...names, 'last'])
        await callee.close()
      })

      it('holds a poll until there is something to say', async () => {
        const session = await joinPolling()

        const poll = session.poll()
        await session.post(joinPacket(call, call.caller))

        expect((await poll).body).to.satisfy(isJoined)
      })

      it('ends the session upon a second poll at the same time', async () => {
        const session = await startPolling()

        const replies = await Promise.all([session.poll(), session.poll()])

        const [good, bad] = replies.sort((one, other) => one.status - other.status) as [HttpReply, HttpReply]
        expect(good).to.include({ status: 200, body: '1' })
        expect(bad.status).to.equal(400)
        const after = await session.poll()
        expect(after.status).to.equal(400)
        expect(JSON.parse(after.body)).to.include(CODES.sid)
      })

      it('ends the session upon a close packet, and answers the poll that waits', async () => {
        const session = await joinPolling()
        const poll = session.poll()
        // The poll has arrived once it is answered: a join's answer goes out by it, and the next one waits.
        await session.post(joinPacket(call, call.caller))
        await poll

        expect((await session.post('1')).body).to.equal('ok')

        expect((await session.poll()).status).to.equal(400)
      })

      for (const [name, packet] of Object.entries(BAD_PACKETS)) {
        it(`ends the session upon ${name}`, async () => {
          const session = await startPolling()

          await session.post(packet).catch(() => {})

          expect((await session.poll()).status).to.equal(400)
        })
      }

      it('ends the session upon binary content that no event announced', async () => {
        const session = await joinPolling()

        await session.post('bAQIDBA==').catch(() => {})

        expect(
          (await session.nextWhere((packet) => packet === '1').catch((error: Error) => error)).toString(),
        ).to.match(/^1$|400/)
      })

      it('refuses a payload that is larger than it offered by 413', async () => {
        const session = await startPolling()

        const { status } = await session.post('4'.repeat(OFFER.maxPayload + 1))

        expect(status).to.equal(413)
      })

      it('refuses a payload of bytes by 400', async () => {
        const session = await startPolling()
        const headers = { 'content-type': 'application/octet-stream' }

        const { status } = await request(session.url, { method: 'POST', headers, body: '40' })

        expect(status).to.equal(400)
      })

      it('knows a session on its own node alone', async () => {
        const session = await PollingSession.start(cluster.gateway(0).url, { call_id: call.id })

        const { status, body } = await request(
          engineUrl(cluster.gateway(1).url, 'polling', { call_id: call.id, sid: session.open.sid }),
        )

        expect(status).to.equal(400)
        expect(JSON.parse(body)).to.include(CODES.sid)
      })
    })

    describe('WebSocket', () => {
      it('says nothing between the open packet and the CONNECT', async () => {
        const wire = await openWire()
        await wire.nextText()

        wire.send(OPCODE.PING, 'marker')

        expect(await wire.next()).to.include({ opcode: OPCODE.PONG })
      })

      it('takes packets in fragments', async () => {
        const wire = await joinWire()
        const packet = joinPacket(call, call.caller)

        wire.send(OPCODE.TEXT, packet.slice(0, 1), { fin: false })
        wire.send(OPCODE.CONTINUATION, packet.slice(1, 9), { fin: false })
        wire.send(OPCODE.CONTINUATION, packet.slice(9))

        await wire.nextText(isJoined)
      })

      it('ignores a noop and a pong that nobody asked for', async () => {
        const wire = await joinWire()

        wire.sendText('6')
        wire.sendText('3')
        wire.sendText(joinPacket(call, call.caller))

        await wire.nextText(isJoined)
      })

      for (const [name, packet] of Object.entries(BAD_PACKETS)) {
        it(`ends the session upon ${name}`, async () => {
          const wire = await openWire()
          await wire.nextText()

          wire.sendText(packet)

          await wire.nextClose()
        })
      }

      it('ends the session upon binary content that no event announced', async () => {
        const wire = await joinWire()

        wire.send(OPCODE.BINARY, Buffer.from([1, 2, 3]))

        await wire.nextClose()
      })

      it('closes with 1009 on a packet that is larger than it offered', async () => {
        const wire = await openWire()

        wire.sendText('4'.repeat(OFFER.maxPayload + 1))

        expect(await wire.nextClose()).to.equal(1009)
      })

      it('closes with 1002 on an unmasked frame and with 1007 on a text that is no UTF-8', async () => {
        const unmasked = await openWire()
        unmasked.send(OPCODE.TEXT, '40', { masked: false })
        expect(await unmasked.nextClose()).to.equal(1002)

        const latin = await openWire()
        latin.send(OPCODE.TEXT, Buffer.from([0x34, 0xe9, 0x41]))
        expect(await latin.nextClose()).to.equal(1007)
      })
    })

    describe('upgrade', () => {
      async function probe(session: PollingSession): Promise<Wire> {
        const wire = await openWire({ sid: session.open.sid })
        wire.sendText('2probe')
        expect(await wire.nextText()).to.equal('3probe')
        return wire
      }

      it('answers the probe, lets go of the poll by a noop, and goes on by WebSocket alone', async () => {
        const session = await joinPolling()

        const wire = await probe(session)
        expect((await session.poll()).body).to.equal('6')
        wire.sendText('5')
        wire.sendText(joinPacket(call, call.caller))

        await wire.nextText(isJoined)
        const late = await session.poll()
        expect(late.status).to.equal(400)
        expect(JSON.parse(late.body)).to.include(CODES.request)
      })

      it('loses, doubles and reorders nothing that is under way, in either direction', async () => {
        const session = await joinPolling()
        const callee = await call.callee.joinAs()
        const wanted: string[] = []
        const got: string[] = []
        const say = (count: number) => {
          for (let said = 0; said < count; said++) {
            wanted.push(String(wanted.length))
            callee.candidate(String(wanted.length - 1))
          }
        }
        const take = (packet: string) => {
          const candidate = readCandidate(packet)
          if (candidate !== undefined) got.push(candidate)
        }
        const sent = Array.from({ length: 40 }, (_, index) => `up ${index}`)
        const packets = sent.map((name) => candidatePacket(call, name))

        say(20)
        await session.post(...packets.slice(0, 10))
        const wire = await openWire({ sid: session.open.sid })
        say(20)
        wire.sendText('2probe')
        expect(await wire.nextText()).to.equal('3probe')
        await session.post(...packets.slice(10, 20))
        say(20)
        for (let packet = await session.next(); packet !== '6'; packet = await session.next()) take(packet)
        // Nobody polls now: this waits for the new transport.
        say(20)
        await callee.sendAndAck(callee.candidateMessage('settled'))
        wanted.push('settled')
        const upgraded = ['5', ...packets.slice(20)].map((packet) => encodeFrame(OPCODE.TEXT, packet))
        wire.write(Buffer.concat(upgraded))
        say(20)
        while (got.length < wanted.length) take(await wire.nextText())

        expect(got).to.deep.equal(wanted)
        await callee.next((message) => message.type === 'candidate' && message.candidate === sent.at(-1))
        expect(callee.all('candidate').map(({ candidate }) => candidate)).to.deep.equal(sent)
        await callee.close()
      })

      it('refuses a second WebSocket of the same session, and the first goes on', async () => {
        const session = await joinPolling()
        const wire = await probe(session)
        await session.poll()
        wire.sendText('5')
        wire.sendText(joinPacket(call, call.caller))
        await wire.nextText(isJoined)

        const second = await openWire({ sid: session.open.sid })
        await second.nextClose()

        wire.sendText(joinPacket(call, call.caller))
        await wire.nextText(isJoined)
      })

      for (const [name, spoil] of Object.entries({
        'is given up': (wire: Wire) => wire.destroy(),
        'asks with another probe': (wire: Wire) => wire.sendText('2other'),
        'sends a message before its upgrade': (wire: Wire) => wire.sendText(eventPacket('x', {})),
      })) {
        it(`that ${name} leaves the session polling`, async () => {
          const session = await joinPolling()
          const wire = await probe(session)

          spoil(wire)
          await wire.nextClose()

          await session.post(joinPacket(call, call.caller, 3))
          expect(await session.nextWhere((packet) => packet.startsWith('433'))).to.include('"ok":true')
        })
      }
    })

    it('carries an error to a session that polls and ends it', async () => {
      const session = await joinPolling()

      await session.post(eventPacket('offer', { type: 'offer', sdp: 'x'.repeat(64 * 1024) }))

      expect(await session.nextWhere(isError)).to.include('INVALID_REQUEST')
      expect(await session.nextWhere((packet) => packet === '1' || packet === '41')).to.be.oneOf(['1', '41'])
    })
  })
}
