import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { joinBoth, newCall } from '../support/calls.ts'
import { impatientCluster, sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'
import type { Peer } from '../support/peer.ts'
import { RawPeer } from '../support/raw-peer.ts'

const candidatesOf = (peer: Peer) => peer.all('candidate').map(({ candidate }) => candidate)

/** Everything up to a marker that is sent now: what did not come by then does not come. */
async function candidatesUntilMarker(from: Peer, to: Peer): Promise<string[]> {
  from.offer('marker')
  await to.next((message) => message.type === 'offer' && message.sdp === 'marker')
  return candidatesOf(to)
}

describe('messages that wait', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  for (const kind of PEER_KINDS) {
    describe(`for a ${kind} peer`, () => {
      it('are delivered in order when the other participant joins for the first time', async () => {
        const call = await newCall(cluster)
        const caller = await call.caller.joinAs()
        caller.offer('early')
        for (const name of ['1', '2', '3']) caller.candidate(name)
        await caller.sendAndAck(caller.candidateMessage('4'))

        const callee = await call.callee.connect(kind)
        const { joined } = await callee.join()

        expect(joined.participants).to.have.members([call.caller.id, call.callee.id])
        expect((await callee.next('offer')).sdp).to.equal('early')
        expect(await candidatesUntilMarker(caller, callee)).to.deep.equal(['1', '2', '3', '4'])
        expect(callee.received.slice(0, 3).map(({ type }) => type)).to.deep.equal([
          'user-joined',
          'call-status',
          'offer',
        ])
      })

      it('wait for the join, not for the connection', async () => {
        const call = await newCall(cluster)
        const caller = await call.caller.joinAs()
        const callee = await call.callee.connect(kind)
        await caller.sendAndAck(caller.candidateMessage('1'))

        // An answer that certainly came after the message was kept.
        callee.offer('not joined')
        await callee.next('error')
        expect(candidatesOf(callee)).to.deep.equal([])

        await callee.join()
        expect(await candidatesUntilMarker(caller, callee)).to.deep.equal(['1'])
      })

      it('are delivered after a reconnect to another gateway, with what was not confirmed before', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { callee: kind })
        caller.candidate('1')
        caller.candidate('2')
        await callee.next((message) => message.type === 'candidate' && message.candidate === '2')

        await callee.terminate()
        for (const name of ['3', '4']) await caller.sendAndAck(caller.candidateMessage(name))
        const back = await call.callee.joinAs(kind, { at: 0 })

        // No ping came in this short time, so nothing was confirmed.
        expect(await candidatesUntilMarker(caller, back)).to.deep.equal(['1', '2', '3', '4'])
      })

      it('are remembered for a device by its name', async () => {
        const call = await newCall(cluster, { calleeClaims: { device_id: 'phone' } })
        const { caller, callee: phone } = await joinBoth(call, { callee: kind })
        const tablet = await call.callee.joinAs(kind, { token: call.callee.tokenWith({ device_id: 'tablet' }) })
        caller.candidate('1')
        await Promise.all([phone.next('candidate'), tablet.next('candidate')])

        await phone.terminate()
        await caller.sendAndAck(caller.candidateMessage('2'))
        const back = await call.callee.joinAs(kind, { at: 0 })

        expect(await candidatesUntilMarker(caller, back)).to.deep.equal(['1', '2'])
        await tablet.next((message) => message.type === 'offer')
        expect(candidatesOf(tablet)).to.deep.equal(['1', '2'])
      })

      it('are told to be incomplete where the log dropped some, and begin with the offer they belong to', async () => {
        const call = await newCall(cluster)
        const caller = await call.caller.joinAs()
        caller.offer('first')
        for (let name = 0; name < 290; name++) caller.candidate(String(name))
        await caller.sendAndAck(caller.candidateMessage('290'))

        const callee = await call.callee.connect(kind)
        await callee.join()

        const { error } = await callee.next('error')
        expect(error).to.deep.include({ code: 'SIGNALING_ERROR', details: { recovered: false } })
        await callee.next((message) => message.type === 'candidate' && message.candidate === '290')
        expect(callee.received.slice(0, 4).map(({ type }) => type)).to.deep.equal([
          'user-joined',
          'call-status',
          'error',
          'offer',
        ])
        const kept = await candidatesUntilMarker(caller, callee)
        expect(kept.map(Number)).to.deep.equal(Array.from(kept, (_, index) => 291 - kept.length + index))
        // Nothing was dropped for the sender.
        expect(caller.all('error')).to.deep.equal([])
      })

      it('are taken in one write with the join, as many as a burst may have', async () => {
        const call = await newCall(cluster)
        const callee = await call.callee.joinAs('raw')
        const caller = await call.caller.connect(kind)
        const names = Array.from({ length: 399 }, (_, index) => String(index))

        // One turn of the event loop: the join's reply cannot come in between.
        caller.send(caller.joinMessage())
        for (const name of names) caller.candidate(name)
        await callee.next((message) => message.type === 'candidate' && message.candidate === '398', 20_000)

        expect(candidatesOf(callee)).to.deep.equal(names)
        expect(caller.all('error')).to.deep.equal([])
      })

      it('are replayed once, also to a connection that joins twice', async () => {
        const call = await newCall(cluster)
        const caller = await call.caller.joinAs()
        await caller.sendAndAck(caller.candidateMessage('1'))
        const callee = await call.callee.joinAs(kind)

        await callee.join()
        await callee.join()

        expect(await candidatesUntilMarker(caller, callee)).to.deep.equal(['1'])
      })
    })
  }

  it('are not repeated to the connection that comes after, once a pong confirmed them', async () => {
    const call = await newCall(await impatientCluster())
    const { caller, callee } = await joinBoth(call)
    if (!(callee instanceof RawPeer)) throw new Error('A raw peer counts its pings')
    caller.candidate('1')
    await callee.next('candidate')
    const { pings } = callee
    // The first may have been under way before the message; the second came after it, and is answered before it counts.
    await eventually(() => expect(callee.pings).to.be.at.least(pings + 2))

    await callee.terminate()
    await caller.sendAndAck(caller.candidateMessage('2'))
    const back = await call.callee.joinAs('raw')

    expect(await candidatesUntilMarker(caller, back)).to.deep.equal(['2'])
  }).timeout(60_000)

  it('of both sides cross when both send before the other one is there', async () => {
    const call = await newCall(cluster)
    const caller = await call.caller.joinAs()
    await caller.sendAndAck(caller.offerMessage('from the caller'))
    await caller.close()
    const callee = await call.callee.joinAs('socketio')
    expect((await callee.next('offer')).sdp).to.equal('from the caller')
    await callee.sendAndAck(callee.answerMessage('from the callee'))

    const back = await call.caller.joinAs()

    expect((await back.next('answer')).sdp).to.equal('from the callee')
    // Nobody's own messages come back to them.
    expect(back.all('offer')).to.have.lengthOf(0)
  })
})
