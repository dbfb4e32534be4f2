/** Every field of every message with values of every type: refused in the client's own terms, never a fault of the server. */
import { expect } from 'chai'
import { io } from 'socket.io-client'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall, openChannel, type TestCall } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS, type PeerKind } from '../support/connect-peer.ts'
import { type Fields, type Peer, Refused } from '../support/peer.ts'
import { RawPeer } from '../support/raw-peer.ts'
import { sendText, withTexts } from '../support/wire-text.ts'

/** As JSON, so that what no value of JavaScript can be is among them. */
const VALUES = [
  'null',
  'true',
  '0',
  '-0',
  '-1.5',
  '1e999',
  '9007199254740993',
  '""',
  '"x"',
  '"\\ud800"',
  '"\\u0000"',
  '"__proto__"',
  '[]',
  '[[]]',
  '["6f9619ff-8b86-4d01-b42d-00cf4fc964ff"]',
  '{}',
  '{"toString":1,"toLowerCase":2,"length":36}',
  '{"__proto__":null}',
]
/** Of all messages together: a field of another type's is one that nobody knows. */
const FIELDS = ['type', 'call_id', 'user_id', 'from', 'to', 'sdp', 'candidate', 'sdp_mid', 'sdp_m_line_index', 'state']
const OTHER_FIELDS = ['stats', 'id', 'seq', '__proto__', 'constructor', 'toJSON']

const TYPES: Record<string, (peer: Peer) => Fields> = {
  'join-room': (peer) => peer.joinMessage(),
  'leave-room': (peer) => ({ ...peer.joinMessage(), type: 'leave-room' }),
  'ice-servers': (peer) => ({ ...peer.joinMessage(), type: 'ice-servers' }),
  'connection-state': (peer) => peer.stateMessage('connected', { stats: { rtt_ms: 1 } }),
  ringing: (peer) => peer.ringingMessage(peer.callId),
  offer: (peer) => peer.offerMessage('v=0'),
  answer: (peer) => peer.answerMessage('v=0'),
  candidate: (peer) => peer.candidateMessage('c'),
}

/** What a client can be told of its own fault. */
const CLIENT_CODES = ['INVALID_REQUEST', 'FORBIDDEN', 'SIGNALING_ERROR', 'CALL_NOT_FOUND', 'CONFLICT']

/** Sends every variant of a message and waits until all of them were judged. */
async function sendVariants(peer: Peer, type: string): Promise<void> {
  const message = (TYPES[type] as (peer: Peer) => Fields)(peer)
  for (const field of [...FIELDS, ...OTHER_FIELDS])
    for (const value of VALUES) sendText(peer, type, withTexts(message, [field, value]))
  // Messages are judged in order, and this one is always wrong.
  const { length } = peer.received
  sendText(peer, type, withTexts(message, ['type', '"last"'], ['id', '"last"']))
  await peer.next((answer) => answer.type === 'error' && answer.ref === 'last', 30_000)
  expect(peer.received.length).to.be.greaterThan(length)
  const codes = new Set(peer.all('error').map(({ error }) => error.code))
  for (const code of codes) expect(CLIENT_CODES, type).to.include(code)
}

describe('any input', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  for (const kind of PEER_KINDS)
    describe(kind, () => {
      for (const type of Object.keys(TYPES)) {
        it(`as ${type} gets an error of the client's own, joined or not, and the connection stays`, async () => {
          const call = await newCall(cluster)
          const outside = await call.caller.connect(kind)
          await sendVariants(outside, type)
          const joined = await call.callee.joinAs(kind)
          await sendVariants(joined, type)

          await outside.join()
          await joined.join()
        }).timeout(60_000)

        it(`as ${type} on a user channel does as little`, async () => {
          const call = await newCall(cluster)
          const otherIds = { callId: call.id, otherId: call.caller.id }
          const channel = await openChannelWith(call, otherIds)
          await sendVariants(channel, type)

          await call.answer()
          await channel.next((message) => message.type === 'call-status' && message.status === 'active')
        }).timeout(60_000)
      }

      it('judges the field that names the sender by the type of the message', async () => {
        const call = await newCall(cluster)
        const caller = await call.caller.connect(kind)
        const own = { user_id: call.caller.id, from: call.callee.id }

        caller.send({ ...caller.joinMessage(), ...own, id: 'joins' })
        expect((await caller.next('ack')).id).to.equal('joins')
        caller.offer('s', { user_id: call.callee.id, id: 'offers' })
        expect((await caller.next('ack')).id).to.equal('offers')
        for (const from of [call.caller.id, 7, null, {}]) {
          caller.send({ ...caller.joinMessage(), user_id: call.callee.id, from })
          expect((await caller.next('error')).error).to.deep.include({
            code: 'FORBIDDEN',
            details: { field: 'user_id' },
          })
        }
      })

      const openChannelWith = (call: TestCall, options: { callId: string; otherId: string }) =>
        openChannel(cluster, call.callee.user, kind).then((channel) => Object.assign(channel, options))
    })

  it('in a raw handshake is taken or refused as the client’s fault', async () => {
    const call = await newCall(cluster)
    for (const name of ['since', 'device_id', 'call_id', 'EIO', 'token'])
      for (const value of ['', '%00', '%ed%a0%80', '%', '[]', '1&x=1', '1e999', `${name}=1`])
        await expectNoFault('raw', () =>
          RawPeer.connect({
            ...call.caller.optionsFor(),
            path: `/ws/signaling/${call.id}?token=${call.caller.token}&${name}=${value}&${name}=${value}`,
            token: undefined,
          }).then((peer) => peer.terminate()),
        )
  }).timeout(60_000)

  it('in the handshake of Socket.IO is taken or refused as the client’s fault', async () => {
    const call = await newCall(cluster)
    for (const name of ['since', 'device_id', 'call_id'])
      for (const value of [null, true, 7, '', '\ud800', '\u0000', [], ['x'], {}, { length: 3 }])
        await expectNoFault('socketio', () => connectWithAuth(call, { [name]: value }))
  }).timeout(60_000)

  /** Resolves when the client is in, and out again. @throws Refused */
  function connectWithAuth(call: TestCall, auth: Fields): Promise<unknown> {
    const socket = io(cluster.gateway(0).url, {
      query: { call_id: call.id },
      auth: { token: call.caller.token, ...auth },
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
    })
    return new Promise((resolve, reject) => {
      socket.once('connect', () => resolve(socket.disconnect()))
      socket.once('connect_error', (error: Error & { data?: { code?: string } }) => {
        socket.disconnect()
        reject(new Refused({ message: error.message, code: error.data?.code }))
      })
    })
  }
})

async function expectNoFault(kind: PeerKind, connect: () => Promise<unknown>): Promise<void> {
  try {
    await connect()
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    expect(error.code, error.message).to.be.oneOf(['INVALID_REQUEST', 'UNAUTHORIZED', 'FORBIDDEN', 'RATE_LIMITED'])
    if (kind === 'raw') expect(error.status).to.be.within(400, 499)
  }
}
