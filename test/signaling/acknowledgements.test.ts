import { expect } from 'chai'
import { isUuid } from '../../core/protocol/ids.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { joinBoth, newCall } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS } from '../support/connect-peer.ts'
import type { Peer } from '../support/peer.ts'
import { SocketIoPeer } from '../support/socketio-peer.ts'

const asSocketIo = (peer: Peer): SocketIoPeer => {
  if (!(peer instanceof SocketIoPeer)) throw new Error('Acknowledgement callbacks are Socket.IO alone')
  return peer
}

describe('acknowledgements', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  for (const kind of PEER_KINDS) {
    describe(kind, () => {
      for (const id of ['a-string', 17, 0, 1.5, 'ünïcödé']) {
        it(`answers the id ${JSON.stringify(id)} by an ack with a seq`, async () => {
          const call = await newCall(cluster)
          const { caller, callee } = await joinBoth(call, { caller: kind })

          caller.offer('s', { id })

          const ack = await caller.next('ack')
          expect(ack.id).to.equal(id)
          expect(ack.seq).to.be.a('string').that.is.not.equal('')
          // The receiver sees the message with that seq and the sender's id.
          expect(await callee.next('offer')).to.include({ id, seq: ack.seq })
        })
      }

      it('answers a message for somebody absent too', async () => {
        const call = await newCall(cluster)
        const caller = await call.caller.joinAs(kind)

        caller.offer('s', { id: 'kept' })

        expect((await caller.next('ack')).id).to.equal('kept')
      })

      it('delivers a repeated id once, and answers it with the same seq', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { caller: kind })

        for (const id of ['once', 7]) {
          caller.offer('first', { id })
          caller.offer('first', { id })
          const first = await caller.next('ack')
          const second = await caller.next('ack')
          expect([first.id, second.id]).to.deep.equal([id, id])
          expect(second.seq).to.equal(first.seq)
        }

        caller.offer('marker')
        await callee.next((message) => message.type === 'offer' && message.sdp === 'marker')
        expect(callee.all('offer').map(({ sdp }) => sdp)).to.deep.equal(['first', 'first', 'marker'])
      })

      it('takes the string "7" and the number 7 for two ids', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { caller: kind })

        caller.offer('number', { id: 7 })
        caller.offer('string', { id: '7' })

        expect([(await caller.next('ack')).id, (await caller.next('ack')).id]).to.deep.equal([7, '7'])
        await callee.next((message) => message.type === 'offer' && message.sdp === 'string')
        expect(callee.all('offer').map(({ sdp }) => sdp)).to.deep.equal(['number', 'string'])
      })

      it('delivers once what a device sends again over a new connection', async () => {
        const call = await newCall(cluster, { callerClaims: { device_id: 'phone' } })
        const { caller, callee } = await joinBoth(call, { caller: kind })
        await caller.sendAndAck(caller.offerMessage('once', { id: 'o-1' }))
        await caller.terminate()

        const back = await call.caller.joinAs(kind, { at: 1 })
        back.offer('once', { id: 'o-1' })
        await back.next('ack')
        back.offer('marker')

        await callee.next((message) => message.type === 'offer' && message.sdp === 'marker')
        expect(callee.all('offer').map(({ sdp }) => sdp)).to.deep.equal(['once', 'marker'])
      })

      it('sends no ack to who asked for none', async () => {
        const call = await newCall(cluster)
        const { caller } = await joinBoth(call, { caller: kind })

        caller.offer('without')
        caller.offer('with', { id: 'with' })
        await caller.next('ack')

        expect(caller.all('ack').map(({ id }) => id)).to.deep.equal(['with'])
      })

      it('acks a join, a leave and a report as well', async () => {
        const call = await newCall(cluster)
        const caller = await call.caller.connect(kind)

        caller.send({ ...caller.joinMessage(), id: 'join' })
        expect((await caller.next('ack')).id).to.equal('join')
        caller.send(caller.stateMessage('connected', { id: 'state' }))
        expect((await caller.next('ack')).id).to.equal('state')
        caller.send({ ...caller.joinMessage(), type: 'leave-room', id: 'leave' })
        expect((await caller.next('ack')).id).to.equal('leave')
      })

      it('names the message at fault by ref', async () => {
        const call = await newCall(cluster)
        const caller = await call.caller.connect(kind)

        for (const id of ['mine', 12]) {
          caller.offer('too early', { id })
          expect(await caller.next('error')).to.include({ ref: id })
        }
        caller.offer('too early')
        expect(await caller.next('error')).not.to.have.property('ref')
      })
    })
  }

  describe('callbacks of Socket.IO', () => {
    it('get {ok: true, seq} with or without an id', async () => {
      const call = await newCall(cluster)
      const { caller, callee } = await joinBoth(call, { caller: 'socketio' })

      const plain = await asSocketIo(caller).ask('offer', caller.offerMessage('plain'))
      const withId = await asSocketIo(caller).ask('offer', caller.offerMessage('with id', { id: 'x' }))

      expect(plain).to.have.all.keys('ok', 'seq').and.include({ ok: true })
      expect(withId).to.include({ ok: true })
      const seqs = [(await callee.next('offer')).seq, (await callee.next('offer')).seq]
      expect(seqs).to.deep.equal([plain, withId].map((reply) => (reply.ok ? reply.seq : undefined)))
    })

    it('get {ok: true} for a join and a leave', async () => {
      const call = await newCall(cluster)
      const caller = asSocketIo(await call.caller.connect('socketio'))

      expect(await caller.ask('join-room', caller.joinMessage())).to.include({ ok: true })
      expect(await caller.ask('leave-room', { ...caller.joinMessage(), type: 'leave-room' })).to.include({ ok: true })
    })

    it('get {ok: false, error} for a fault', async () => {
      const call = await newCall(cluster)
      const caller = asSocketIo(await call.caller.connect('socketio'))

      const early = await caller.ask('offer', caller.offerMessage('too early'))
      const shapeless = await caller.ask('offer', { type: 'offer' })

      if (early.ok || shapeless.ok) throw new Error('Both are faults')
      expect(early.error.code).to.equal('SIGNALING_ERROR')
      expect(early.error.message).to.be.a('string').that.is.not.equal('')
      expect(shapeless.error.code).to.equal('INVALID_REQUEST')
    })
  })

  it('errors carry the whole envelope', async () => {
    for (const kind of PEER_KINDS) {
      const call = await newCall(cluster)
      const caller = await call.caller.connect(kind)

      caller.offer('too early')
      const message = await caller.next('error')

      expect(isUuid(message.request_id)).to.equal(true)
      expect(new Date(message.timestamp).toISOString()).to.equal(message.timestamp)
      expect(message.error.message).to.be.a('string').that.is.not.equal('')
    }
  })
})
