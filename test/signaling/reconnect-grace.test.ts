import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { joinBoth, newCall } from '../support/calls.ts'
import { GRACE_MS, impatientCluster } from '../support/clusters.ts'
import { PEER_KINDS } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'

describe('reconnect grace', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await impatientCluster()
  })

  for (const kind of PEER_KINDS) {
    describe(kind, () => {
      it('keeps a lost user in the room: disconnected at once, user-left when it is over', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { callee: kind })
        const lostAt = Date.now()
        await callee.terminate()

        await eventually(async () => {
          const [, participant] = (await call.status()).participants
          expect(participant?.connection_status).to.equal('disconnected')
        })
        // Nobody is told before: what the status said at once is no news for the room.
        if (Date.now() - lostAt < GRACE_MS) expect(caller.all('user-left')).to.have.lengthOf(0)
        const left = await caller.next('user-left')

        expect(left).to.deep.include({ user_id: call.callee.id, participants: [call.caller.id] })
        expect(Date.now() - lostAt).to.be.at.least(GRACE_MS)
      })

      it('passes unnoticed when the user is back before it is over', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { callee: kind })
        await callee.terminate()
        const back = await call.callee.joinAs(kind, { at: 0 })

        // Another call loses its callee for good a moment later: its end of grace is past ours.
        const later = await newCall(cluster)
        const watched = await joinBoth(later)
        await watched.callee.terminate()
        await watched.caller.next('user-left')

        expect(caller.all('user-left')).to.have.lengthOf(0)
        expect(caller.all('user-joined')).to.have.lengthOf(2)
        back.offer('s')
        await caller.next('offer')
        const [, participant] = (await call.status()).participants
        expect(participant?.connection_status).to.equal('connected')
      })

      it('announces a user that comes back after it, as a first join', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { callee: kind })
        await callee.terminate()
        await caller.next('user-left')

        await call.callee.joinAs(kind)

        expect(await caller.next('user-joined')).to.include({ user_id: call.callee.id })
      })

      it('begins only with the loss of the last connection', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { callee: kind })
        const further = await call.callee.joinAs(kind, { at: 0 })
        await callee.terminate()

        const later = await newCall(cluster)
        const watched = await joinBoth(later)
        await watched.callee.terminate()
        await watched.caller.next('user-left')

        expect(caller.all('user-left')).to.have.lengthOf(0)
        further.offer('s')
        await caller.next('offer')
      })
    })
  }

  it('is for losses: a raw close with another code than 1000 and 1001 is one', async () => {
    const call = await newCall(cluster)
    const { caller, callee } = await joinBoth(call)
    const lostAt = Date.now()

    await callee.close(4000)
    await caller.next('user-left')

    expect(Date.now() - lostAt).to.be.at.least(GRACE_MS)
  })

  it('comes to a peer that plays dead: it is pinged, closed, and gone after the grace', async () => {
    const call = await newCall(cluster)
    const caller = await call.caller.joinAs()
    const callee = await call.callee.joinAs('raw', { answersPings: false })

    // A quarter of a second to the ping, two to the end of patience; nothing is sent by this client.
    const closing = await callee.closed
    await caller.next('user-left')

    expect(closing.code).not.to.be.oneOf([1000, 1001])
  })
})
