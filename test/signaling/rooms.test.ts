import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { joinBoth, newCall } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'
import type { Peer } from '../support/peer.ts'

/** Everything that was said about who is here, in order. */
function announcements(peer: Peer): string[] {
  return peer.received
    .filter((message) => message.type === 'user-joined' || message.type === 'user-left')
    .map((message) => ('user_id' in message ? `${message.type} ${message.user_id}` : ''))
}

describe('rooms', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  for (const kind of PEER_KINDS) {
    describe(kind, () => {
      it('answers a join with user-joined, then the call-status', async () => {
        const call = await newCall(cluster)
        const peer = await call.caller.connect(kind)

        const { joined, status } = await peer.join()

        expect(joined).to.deep.include({ call_id: call.id, user_id: call.caller.id, participants: [call.caller.id] })
        expect(status).to.include({ call_id: call.id, status: 'connecting', version: 1 })
        expect(new Date(status.timestamp).toISOString()).to.equal(status.timestamp)
        expect(peer.received.map(({ type }) => type)).to.deep.equal(['user-joined', 'call-status'])
      })

      it('answers a repeated join in the same way, that connection alone', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { caller: kind })

        await caller.join()
        const again = await caller.join()

        expect(again.joined.participants).to.have.members([call.caller.id, call.callee.id])
        callee.skip()
        caller.offer('marker')
        await callee.next('offer')
        // Its own join alone: the caller was there before, and its further joins are nobody else's business.
        expect(announcements(callee)).to.deep.equal([`user-joined ${call.callee.id}`])
      })

      it('announces the first join and the last leave of a user to everyone', async () => {
        const call = await newCall(cluster)
        const caller = await call.caller.joinAs(kind)
        const callee = await call.callee.connect()

        const { joined } = await callee.join()
        const announced = await caller.next('user-joined')
        callee.leave()
        const left = await caller.next('user-left')

        expect(joined.participants).to.have.members([call.caller.id, call.callee.id])
        expect(announced).to.include({ call_id: call.id, user_id: call.callee.id })
        expect(announced.participants).to.have.members([call.caller.id, call.callee.id])
        expect(left).to.deep.include({ call_id: call.id, user_id: call.callee.id, participants: [call.caller.id] })
      })

      it('tells a further connection of a user alone that it is in', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call)

        const further = await call.caller.connect(kind, { at: 1 })
        const { joined } = await further.join()

        expect(joined.participants).to.have.members([call.caller.id, call.callee.id])
        further.offer('marker')
        await callee.next('offer')
        expect(announcements(callee)).to.deep.equal([`user-joined ${call.callee.id}`])
        expect(announcements(caller)).to.deep.equal([`user-joined ${call.caller.id}`, `user-joined ${call.callee.id}`])
      })

      it('keeps a user while one of its connections is in, and delivers to each of them', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call)
        const further = await call.callee.joinAs(kind, { at: 0 })

        caller.offer('for both')
        expect((await callee.next('offer')).sdp).to.equal('for both')
        expect((await further.next('offer')).sdp).to.equal('for both')
        await callee.close()
        caller.offer('for one')
        expect((await further.next('offer')).sdp).to.equal('for one')
        expect(caller.all('user-left')).to.have.lengthOf(0)
        await further.close()
        expect(await caller.next('user-left')).to.include({ user_id: call.callee.id })
      })

      it('says user-left at once when a connection is closed on purpose', async () => {
        const call = await newCall(cluster)
        const caller = await call.caller.joinAs()
        const callee = await call.callee.joinAs(kind)

        await callee.close()
        // Well below the reconnect grace of ten seconds.
        const left = await caller.next('user-left', 4_000)

        expect(left).to.deep.include({ user_id: call.callee.id, participants: [call.caller.id] })
      })

      it('lets a user leave and join again', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { callee: kind })

        callee.leave()
        await caller.next('user-left')
        callee.offer('from outside')
        expect((await callee.next('error')).error.code).to.equal('SIGNALING_ERROR')
        await callee.join()
        expect((await caller.next('user-joined')).user_id).to.equal(call.callee.id)

        callee.offer('from inside')
        expect((await caller.next('offer')).sdp).to.equal('from inside')
        caller.offer('back')
        expect((await callee.next('offer')).sdp).to.equal('back')
      })
    })
  }

  it('takes a raw close with 1001, going away, as a goodbye too', async () => {
    const call = await newCall(cluster)
    const { caller, callee } = await joinBoth(call)

    await callee.close(1001)

    expect(await caller.next('user-left', 4_000)).to.include({ user_id: call.callee.id })
  })

  it('shows in GET status who is connecting, connected and disconnected', async () => {
    const call = await newCall(cluster)
    const states = async () => (await call.status()).participants.map((participant) => participant.connection_status)
    expect(await states()).to.deep.equal(['connecting', 'connecting'])

    const caller = await call.caller.joinAs('raw')
    await eventually(async () => expect(await states()).to.deep.equal(['connected', 'connecting']))
    const callee = await call.callee.joinAs('socketio')
    await eventually(async () => expect(await states()).to.deep.equal(['connected', 'connected']))

    await callee.terminate()
    // Long before the reconnect grace of ten seconds is over.
    await eventually(async () => expect(await states()).to.deep.equal(['connected', 'disconnected']), 4_000)
    expect(caller.all('user-left')).to.have.lengthOf(0)
  })
})
