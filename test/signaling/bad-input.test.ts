import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { joinBoth, newCall, openChannel } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS } from '../support/connect-peer.ts'
import type { Fields, Peer } from '../support/peer.ts'
import { RawPeer } from '../support/raw-peer.ts'
import { SocketIoPeer } from '../support/socketio-peer.ts'

type Build = (peer: Peer) => Fields

const without =
  (field: string, build: Build): Build =>
  (peer) => {
    const { [field]: _left, ...rest } = build(peer)
    return rest
  }
const withField =
  (field: string, value: unknown, build: Build): Build =>
  (peer) => ({ ...build(peer), [field]: value })

const join: Build = (peer) => peer.joinMessage()
const offer: Build = (peer) => peer.offerMessage('v=0')
const candidate: Build = (peer) => peer.candidateMessage('candidate:1')
const state: Build = (peer) => peer.stateMessage('connected')

/** Objects with a missing or a wrong field, as both transports can carry them. */
const WRONG_FIELDS: Record<string, Build> = {
  'an unknown type': withField('type', 'dance', join),
  'a type that only the server sends': withField('type', 'user-joined', join),
  'a type of the prototype': withField('type', 'toString', join),
  'join-room without a call_id': without('call_id', join),
  'join-room with a call_id that is no UUID': withField('call_id', 'call-1', join),
  'join-room with a call_id that is null': withField('call_id', null, join),
  'join-room without a user_id': without('user_id', join),
  'join-room with a user_id that is an array': withField('user_id', [randomUUID()], join),
  'leave-room without a user_id': without('user_id', withField('type', 'leave-room', join)),
  'an offer without a call_id': without('call_id', offer),
  'an offer without from': without('from', offer),
  'an offer with a from that is no UUID': withField('from', 'me', offer),
  'an offer without to': without('to', offer),
  'an offer without sdp': without('sdp', offer),
  'an offer whose sdp is an object': withField('sdp', { type: 'offer', sdp: 'v=0' }, offer),
  'an answer whose sdp is null': withField('sdp', null, withField('type', 'answer', offer)),
  'a candidate without candidate': without('candidate', candidate),
  'a candidate that is null': withField('candidate', null, candidate),
  'a candidate that is an object': withField('candidate', { candidate: 'candidate:1' }, candidate),
  'a candidate with a number as sdp_mid': withField('sdp_mid', 0, candidate),
  'a candidate with text as sdp_m_line_index': withField('sdp_m_line_index', '0', candidate),
  'a candidate with half an m-line': withField('sdp_m_line_index', 0.5, candidate),
  'a candidate before the first m-line': withField('sdp_m_line_index', -1, candidate),
  'a connection-state without a state': without('state', state),
  'a connection-state that nobody knows': withField('state', 'fine', state),
  'a connection-state with text as stats': withField('stats', 'good', state),
  'an id that is an object': withField('id', { id: 1 }, offer),
  'an id that is a boolean': withField('id', true, offer),
  'an id that is null': withField('id', null, offer),
  'an id that is empty': withField('id', '', offer),
  'an id that is endless': withField('id', 'x'.repeat(10_000), offer),
}

/** JSON that is no message object. */
const NO_OBJECTS = [
  '[]',
  '[{"type":"join-room"}]',
  '"join-room"',
  '42',
  'null',
  'true',
  '{}',
  '{"type":null}',
  '{"type":5}',
]

const NOT_JSON = [
  '',
  'nonsense',
  '{',
  '{"type":"join-room"',
  '{type:"join-room"}',
  '42["offer",{}]',
  '\u0000',
  '{"a":1}x',
]

const pidsOf = ({ description }: Cluster) => [...description.gateways, ...description.api].map(({ pid }) => pid)

describe('bad input', () => {
  let cluster: Cluster
  let pids: (number | null)[]

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
    pids = pidsOf(cluster)
  })

  for (const kind of PEER_KINDS) {
    describe(kind, () => {
      it('gets INVALID_REQUEST for every missing or wrong field, and the connection stays', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { caller: kind })

        for (const [name, build] of Object.entries(WRONG_FIELDS)) {
          caller.send(build(caller))
          const answer = await caller.next(({ type }) => type === 'error' || type === 'ack')
          expect(answer, name).to.have.nested.property('error.code', 'INVALID_REQUEST')
        }

        caller.offer('still here')
        expect((await callee.next('offer')).sdp).to.equal('still here')
        // Nothing of all that reached the other side.
        expect(callee.received.map(({ type }) => type)).to.deep.equal(['user-joined', 'call-status', 'offer'])
      })

      it('gets SIGNALING_ERROR for anything but join-room before joining, and the connection stays', async () => {
        const call = await newCall(cluster)
        const callee = await call.callee.joinAs()
        const caller = await call.caller.connect(kind)

        for (const build of [offer, candidate, state, withField('type', 'leave-room', join)]) {
          caller.send(build(caller))
          expect((await caller.next('error')).error.code).to.equal('SIGNALING_ERROR')
        }

        await caller.join()
        caller.offer('now')
        await callee.next('offer')
        expect(callee.all('offer').map(({ sdp }) => sdp)).to.deep.equal(['now'])
      })

      it('is checked in this order: shape, ids, joined, to', async () => {
        const call = await newCall(cluster)
        const caller = await call.caller.connect(kind)
        const stranger = randomUUID()
        const codeFor = async (fields: Fields) => {
          caller.offer('s', fields)
          return (await caller.next('error')).error.code
        }

        expect(await codeFor({ sdp: 5, from: stranger, to: stranger })).to.equal('INVALID_REQUEST')
        expect(await codeFor({ call_id: stranger, to: stranger })).to.equal('FORBIDDEN')
        expect(await codeFor({ from: stranger, to: stranger })).to.equal('FORBIDDEN')
        expect(await codeFor({ to: stranger })).to.equal('SIGNALING_ERROR')
        await caller.join()
        expect(await codeFor({ to: stranger })).to.equal('FORBIDDEN')
      })

      it('that floods gets RATE_LIMITED and is closed with 1008', async () => {
        const call = await newCall(cluster)
        const { caller } = await joinBoth(call, { caller: kind })

        for (let sent = 0; sent < 1_000; sent++) caller.candidate(String(sent))

        const closing = await caller.closed
        expect(caller.all('error').map(({ error }) => error.code)).to.deep.equal(['RATE_LIMITED'])
        if (kind === 'raw') expect(closing.code).to.equal(1008)
        else expect(closing.reason).to.equal('io server disconnect')
      })

      it('of more than 64 KiB is not delivered and ends the connection, 1009', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { caller: kind })
        const bare = Buffer.byteLength(JSON.stringify(caller.offerMessage('')))

        caller.offer('x'.repeat(64 * 1024 - bare + 1))

        const closing = await caller.closed
        for (const { error } of caller.all('error')) expect(error.code).to.equal('INVALID_REQUEST')
        if (kind === 'raw') expect(closing.code).to.equal(1009)
        const back = await call.caller.joinAs(kind)
        back.offer('small')
        await callee.next('offer')
        expect(callee.all('offer').map(({ sdp }) => sdp)).to.deep.equal(['small'])
      })

      it('of megabytes harms nobody', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { caller: kind })
        const other = await call.callee.joinAs('raw', { at: 0 })

        caller.offer('x'.repeat(8 * 1024 * 1024))
        await caller.closed

        const back = await call.caller.joinAs(kind)
        back.offer('after')
        expect((await callee.next('offer')).sdp).to.equal('after')
        expect((await other.next('offer')).sdp).to.equal('after')
      })

      it('of a user channel, any message at all, gets SIGNALING_ERROR and the channel stays', async () => {
        const call = await newCall(cluster)
        const channel = await openChannel(cluster, call.callee.user, kind)

        for (const message of [
          { type: 'join-room', call_id: call.id, user_id: call.callee.id },
          { type: 'offer', call_id: call.id, from: call.callee.id, to: call.caller.id, sdp: 'v=0' },
        ]) {
          channel.send(message)
          expect((await channel.next('error')).error.code).to.equal('SIGNALING_ERROR')
        }

        await call.answer()
        expect((await channel.next('call-status')).status).to.equal('active')
      })
    })
  }

  describe('frames of a raw WebSocket', () => {
    for (const text of NO_OBJECTS) {
      it(`${text} gets INVALID_REQUEST and stays`, async () => {
        const call = await newCall(cluster)
        const caller = await call.caller.connect('raw')

        caller.sendRaw(text)

        expect((await caller.next('error')).error.code).to.equal('INVALID_REQUEST')
        await caller.join()
      })
    }

    for (const text of NOT_JSON) {
      it(`${JSON.stringify(text)} is not JSON: INVALID_REQUEST, then 1003`, async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call)

        caller.sendRaw(text)

        expect((await caller.next('error')).error.code).to.equal('INVALID_REQUEST')
        expect((await caller.closed).code).to.equal(1003)
        await callee.join()
      })
    }

    it('that are binary: INVALID_REQUEST, then 1003, even if they hold JSON', async () => {
      for (const build of [offer, join]) {
        const call = await newCall(cluster)
        const { caller } = await joinBoth(call)

        caller.sendRaw(Buffer.from(JSON.stringify(build(caller))))

        expect((await caller.next('error')).error.code).to.equal('INVALID_REQUEST')
        expect((await caller.closed).code).to.equal(1003)
      }
    })

    it('that are no UTF-8 end that connection alone', async () => {
      const call = await newCall(cluster)
      const { caller, callee } = await joinBoth(call)
      if (!(caller instanceof RawPeer)) throw new Error('Frames are raw')

      caller.sendBytesAsText(Buffer.from([0xc3, 0x28]))

      await caller.closed
      await (await call.caller.connect('raw')).join()
      await callee.join()
    })

    it('with JSON of great depth get an answer', async () => {
      const call = await newCall(cluster)
      const { caller, callee } = await joinBoth(call)

      caller.sendRaw('['.repeat(20_000) + ']'.repeat(20_000))
      expect((await caller.next('error')).error.code).to.equal('INVALID_REQUEST')
      const deep = JSON.stringify(caller.offerMessage('deep')).replace(
        '}',
        `,"x":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
      )
      caller.sendRaw(deep)

      expect((await callee.next('offer')).sdp).to.equal('deep')
    })
  })

  describe('events of Socket.IO', () => {
    const asSocketIo = (peer: Peer): SocketIoPeer => {
      if (!(peer instanceof SocketIoPeer)) throw new Error('Events are Socket.IO alone')
      return peer
    }

    it('without an object get INVALID_REQUEST and stay', async () => {
      const call = await newCall(cluster)
      const caller = asSocketIo(await call.caller.connect('socketio'))

      for (const args of [[], [null], ['text'], [42], [true], [[]], [[caller.joinMessage()]], [{}]]) {
        caller.emit('join-room', ...args)
        expect((await caller.next('error')).error.code, JSON.stringify(args)).to.equal('INVALID_REQUEST')
      }

      await caller.join()
    })

    it('that nobody knows get INVALID_REQUEST and stay', async () => {
      const call = await newCall(cluster)
      const caller = asSocketIo(await call.caller.connect('socketio'))

      for (const event of ['dance', 'message', 'user-joined', 'call-status', 'ack', '__proto__', 'constructor']) {
        caller.emit(event, { ...caller.joinMessage(), type: event })
        expect((await caller.next('error')).error.code, event).to.equal('INVALID_REQUEST')
      }

      await caller.join()
    })

    it('that are called otherwise than their message get INVALID_REQUEST and stay', async () => {
      const call = await newCall(cluster)
      const { caller, callee } = await joinBoth(call, { caller: 'socketio' })

      asSocketIo(caller).emit('candidate', caller.offerMessage('v=0'))

      expect((await caller.next('error')).error.code).to.equal('INVALID_REQUEST')
      caller.offer('marker')
      await callee.next('offer')
      expect(callee.all('offer').map(({ sdp }) => sdp)).to.deep.equal(['marker'])
    })

    it('with binary content get INVALID_REQUEST and are disconnected', async () => {
      for (const payload of [Buffer.from('v=0'), { type: 'offer', sdp: Buffer.from('v=0') }]) {
        const call = await newCall(cluster)
        const { caller } = await joinBoth(call, { caller: 'socketio' })

        asSocketIo(caller).emit('offer', payload)

        expect((await caller.next('error')).error.code).to.equal('INVALID_REQUEST')
        expect((await caller.closed).reason).to.equal('io server disconnect')
      }
    })

    it('that break the protocol end no more than that connection', async () => {
      const packets = [
        'nonsense',
        '9',
        '2',
        '2{',
        '2["offer"',
        '2{"a":1}',
        '51-["offer",{"_placeholder":true,"num":7}]',
      ]
      for (const packet of packets) {
        const call = await newCall(cluster)
        const { caller } = await joinBoth(call, { caller: 'socketio' })

        caller.sendRaw(packet)

        // The library ignores some of them; what matters is that nothing waits for ever.
        await Promise.race([caller.closed, caller.join().catch(() => caller.closed)])
        await (await call.caller.connect('socketio')).join()
      }
    })
  })

  // After the tests, whose order does not matter: no process has died of any of this.
  after(() => expect(pidsOf(cluster)).to.deep.equal(pids))
})
