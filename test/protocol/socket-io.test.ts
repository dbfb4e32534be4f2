/** Socket.IO v5: namespaces, events, acknowledgements and refusals, as text on the wire. */
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall, type TestCall } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import {
  candidateOf,
  candidatePacket,
  connectPacket,
  eventPacket,
  isError,
  isJoined,
  isStatus,
  joinPacket,
  readCandidate,
} from './conversation.ts'
import { engineUrl, PollingSession } from './polling-session.ts'
import { destroyAllWires, encodeFrame, OPCODE, Wire } from './wire.ts'

/** Packets of a connected client that end its connection. */
const MALFORMED: Record<string, string> = {
  'an unknown packet type': '49',
  'a packet type that is a letter': '4x',
  'a second CONNECT': '40',
  'a CONNECT_ERROR, which is the server’s to send': '44{"message":"no"}',
  'an EVENT that is no JSON': '42["join-room"',
  'an EVENT that is an object': '42{"type":"join-room"}',
  'an EVENT that is empty': '42[]',
  'an EVENT whose name is an object': '42[{}]',
  'an EVENT whose name is reserved': '42["connect",{}]',
  'an EVENT whose ack id is no number': '42abc["join-room",{}]',
  'an EVENT of a namespace that it is not in': '42/other,["join-room",{}]',
  'a DISCONNECT with content': '41{"a":1}',
  'an ACK that is no array': '431{"a":1}',
  'a binary EVENT without a count': '45["join-room",{}]',
  'a binary EVENT with no attachments': '450-["join-room",{}]',
  'a binary EVENT with a fraction of an attachment': '450.5-["join-room",{}]',
  'a binary EVENT with too many attachments': '4511-["join-room",{}]',
  'text where an attachment must come': '451-["join-room",{"_placeholder":true,"num":0}]\n42["join-room",{}]',
}

for (const entry of ['a gateway', 'the edge'] as const) {
  describe(`Socket.IO at ${entry}`, () => {
    let cluster: Cluster
    let call: TestCall
    let origin: string

    before(async function () {
      this.timeout(60_000)
      cluster = await sharedCluster()
      origin = entry === 'the edge' ? cluster.url : cluster.gateway(0).url
    })
    beforeEach(async () => {
      call = await newCall(cluster)
    })
    afterEach(destroyAllWires)

    async function openWire(query: Record<string, string> = { call_id: call.id }): Promise<Wire> {
      const wire = await Wire.open(engineUrl(origin, 'websocket', query))
      expect((await wire.nextText())[0]).to.equal('0')
      return wire
    }

    async function connectWire(): Promise<Wire> {
      const wire = await openWire()
      wire.sendText(connectPacket(call.caller))
      expect(await wire.nextText()).to.match(/^40\{"sid":"[\w-]{20}"\}$/)
      return wire
    }

    async function joinWire(): Promise<Wire> {
      const wire = await connectWire()
      wire.sendText(joinPacket(call, call.caller))
      await wire.nextText(isStatus)
      return wire
    }

    /** The connection serves its room. */
    async function expectServed(wire: Wire): Promise<void> {
      wire.sendText(joinPacket(call, call.caller, 99))
      expect(await wire.nextText((packet) => packet.startsWith('4399'))).to.include('"ok":true')
    }

    describe('CONNECT', () => {
      it('is answered by the id of the socket, which is not that of the session', async () => {
        const wire = await Wire.open(engineUrl(origin, 'websocket', { call_id: call.id }))
        const { sid } = JSON.parse((await wire.nextText()).slice(1)) as { sid: string }

        wire.sendText(connectPacket(call.caller))

        const answer = await wire.nextText()
        expect(answer).to.match(/^40\{"sid":"/)
        expect(answer).to.not.include(sid)
        await expectServed(wire)
      })

      it('takes the token from the query and nothing at all from the packet', async () => {
        const wire = await openWire({ call_id: call.id, token: call.caller.token })

        wire.sendText('40')

        expect(await wire.nextText()).to.match(/^40\{"sid":"/)
        await expectServed(wire)
      })

      it('of nobody is refused with the code as data', async () => {
        for (const packet of ['40', '40{}', '40{"token":"nonsense"}', '40{"token":{"a":1}}']) {
          const wire = await openWire()
          wire.sendText(packet)
          const answer = await wire.nextText()
          expect(answer).to.match(/^44\{/)
          const refusal = JSON.parse(answer.slice(2)) as { message: string; data: object }
          expect(refusal).to.have.all.keys('message', 'data')
          expect(refusal.data).to.deep.equal({ code: 'UNAUTHORIZED', message: refusal.message })
        }
      })

      it('that was refused may be tried again on the same connection', async () => {
        const wire = await openWire()
        wire.sendText('40{"token":"nonsense"}')
        expect(await wire.nextText()).to.match(/^44\{/)

        wire.sendText(connectPacket(call.caller))

        expect(await wire.nextText()).to.match(/^40\{"sid":"/)
        await expectServed(wire)
      })

      it('to a namespace that does not exist is refused by that name, and the main one is still there', async () => {
        const wire = await openWire()

        for (const name of ['/other', '/admin', '/__proto__', '/signaling']) {
          wire.sendText(`40${name},{"token":"x"}`)
          expect(await wire.nextText()).to.equal(`44${name},{"message":"Invalid namespace"}`)
        }

        wire.sendText(connectPacket(call.caller))
        expect(await wire.nextText()).to.match(/^40\{"sid":"/)
      })

      it('may name a namespace with a query, which is none of ours', async () => {
        const wire = await openWire()

        wire.sendText('40/?token=x,')

        expect(await wire.nextText()).to.match(/^44\/\?token=x,/)
      })

      it('that is no object ends the connection', async () => {
        for (const packet of ['40"token"', '40[]x', '40{', '40null']) {
          const wire = await openWire()
          wire.sendText(packet)
          await wire.nextClose()
        }
      })

      it('twice at once leaves nothing behind', async () => {
        for (let attempt = 0; attempt < 6; attempt++) {
          const wire = await openWire()
          const packet = encodeFrame(OPCODE.TEXT, connectPacket(call.caller))
          wire.write(Buffer.concat([packet, packet]))
          expect(await wire.nextText()).to.match(/^40\{"sid":"/)
          wire.destroy()
          await wire.end()
        }

        // More than a user may have: all of them were counted out.
        const wires = await Promise.all([1, 2, 3, 4].map(() => connectWire()))
        for (const wire of wires) await expectServed(wire)
      })

      it('must come before anything else', async () => {
        for (const packet of [joinPacket(call, call.caller), '41', '431[]', '42/,["join-room",{}]', '49']) {
          const wire = await openWire()
          wire.sendText(packet)
          await wire.nextClose()
        }
      })
    })

    describe('EVENT', () => {
      it('is an array of the name and the payload in both directions', async () => {
        const wire = await joinWire()
        const callee = await call.callee.joinAs('raw')
        await wire.nextText(isJoined)

        wire.sendText(candidatePacket(call, 'é 📞'))
        expect((await callee.next('candidate')).candidate).to.equal('é 📞')
        callee.candidate('"quoted" \\ \u2028')

        const packet = await wire.nextText((text) => readCandidate(text) !== undefined)
        const [name, payload, ...rest] = JSON.parse(packet.slice(2)) as [string, { type: string; candidate: string }]
        expect(name).to.equal('candidate')
        expect(payload).to.include({ type: 'candidate', candidate: '"quoted" \\ \u2028' })
        expect(rest).to.deep.equal([])
        await callee.close()
      })

      it('with an id is answered by an ACK with that id, whatever the id', async () => {
        const wire = await joinWire()

        for (const id of [0, 1, 12, 2_147_483_648, Number.MAX_SAFE_INTEGER]) {
          wire.sendText(candidatePacket(call, String(id), id))
          const packet = await wire.nextText((text) => text.startsWith('43'))
          expect(packet.slice(0, packet.indexOf('['))).to.equal(`43${id}`)
          const [reply, ...rest] = JSON.parse(packet.slice(packet.indexOf('['))) as [{ ok: boolean; seq: string }]
          expect(reply).to.have.all.keys('ok', 'seq')
          expect(reply.ok).to.equal(true)
          expect(rest).to.deep.equal([])
        }
      })

      it('with an id and a fault is answered by an ACK that says so', async () => {
        const wire = await joinWire()

        wire.sendText(eventPacket('candidate', { ...candidateOf(call, 'x'), from: call.callee.id }, 5))

        const packet = await wire.nextText((text) => text.startsWith('43'))
        expect(packet).to.match(/^435\[\{"ok":false,"error":\{"code":"FORBIDDEN"/)
        await expectServed(wire)
      })

      it('may name the main namespace', async () => {
        const wire = await connectWire()

        wire.sendText(joinPacket(call, call.caller, 7).replace('427', '42/,7'))

        expect(await wire.nextText((text) => text.startsWith('43'))).to.match(/^437\[\{"ok":true/)
      })

      it('with a number for a name gets INVALID_REQUEST and stays', async () => {
        const wire = await connectWire()

        wire.sendText('42[5,{}]')

        expect(await wire.nextText())
          .to.satisfy(isError)
          .and.include('INVALID_REQUEST')
        await expectServed(wire)
      })

      it('of more than 64 KiB gets INVALID_REQUEST, then a DISCONNECT and the end', async () => {
        const wire = await joinWire()

        wire.sendText(candidatePacket(call, 'x'.repeat(64 * 1024)))

        expect(await wire.nextText(isError)).to.include('INVALID_REQUEST')
        expect(await wire.nextText()).to.equal('41')
        await wire.nextClose()
      })

      it('with an ACK that nobody asked for changes nothing', async () => {
        const wire = await connectWire()

        wire.sendText('431["x"]')
        wire.sendText('43["x"]')

        await expectServed(wire)
      })
    })

    describe('binary EVENT', () => {
      for (const [name, payload] of Object.entries({
        'a payload of bytes': '{"_placeholder":true,"num":0}',
        'a field of bytes': '{"type":"offer","sdp":{"_placeholder":true,"num":0}}',
      })) {
        it(`with ${name} gets INVALID_REQUEST, then a DISCONNECT and the end`, async () => {
          const wire = await joinWire()

          wire.sendText(`451-["offer",${payload}]`)
          wire.send(OPCODE.BINARY, Buffer.from([1, 2, 3]))

          expect(await wire.nextText())
            .to.satisfy(isError)
            .and.include('INVALID_REQUEST')
          expect(await wire.nextText()).to.equal('41')
          await wire.nextClose()
        })
      }

      it('by polling gets the same', async () => {
        const session = await PollingSession.start(origin, { call_id: call.id })
        await session.post(connectPacket(call.caller))
        await session.next()

        await session.post('451-["offer",{"_placeholder":true,"num":0}]', 'bAQIDBA==')

        expect(await session.nextWhere(isError)).to.include('INVALID_REQUEST')
        expect(await session.next()).to.equal('41')
      })

      it('whose placeholder points nowhere ends the connection', async () => {
        for (const num of ['1', '-1', '"0"', 'null']) {
          const wire = await joinWire()
          wire.sendText(`451-["offer",{"_placeholder":true,"num":${num}}]`)
          wire.send(OPCODE.BINARY, Buffer.from([1]))
          await wire.nextClose()
        }
      })
    })

    describe('DISCONNECT', () => {
      it('by the client leaves the room at once', async () => {
        const wire = await joinWire()
        const callee = await call.callee.joinAs('raw')

        wire.sendText('41')

        // The grace for a lost connection is longer than this.
        expect((await callee.next('user-left', 5_000)).user_id).to.equal(call.caller.id)
        await callee.close()
      })

      it('by the server follows the last status, and ends the connection', async () => {
        const wire = await joinWire()

        await call.end()

        expect(await wire.nextText(isStatus)).to.include('"ended"')
        expect(await wire.nextText()).to.equal('41')
        await wire.nextClose()
      })
    })

    describe('malformed packets', () => {
      for (const [name, packets] of Object.entries(MALFORMED)) {
        it(`end the connection and nothing else: ${name}`, async () => {
          const wire = await joinWire()
          const other = await joinWire()

          for (const packet of packets.split('\n')) wire.sendText(packet)

          await wire.nextClose()
          await expectServed(other)
        })
      }
    })
  })
}
