import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { joinBoth, newCall, type TestCall } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'

async function expectStatus(call: TestCall, status: string): Promise<void> {
  await eventually(async () => expect((await call.status()).participants[0]?.connection_status).to.equal(status))
}

describe('connection-state', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  for (const kind of PEER_KINDS) {
    describe(kind, () => {
      it('feeds the connection_status of GET status', async () => {
        const call = await newCall(cluster)
        const { caller } = await joinBoth(call, { caller: kind })

        for (const state of ['connecting', 'connected', 'disconnected', 'connected']) {
          caller.send(caller.stateMessage(state, { stats: { rtt_ms: 12, packets_lost: 0 } }))
          await expectStatus(call, state)
        }
      })

      it('failed tells the other user on every node and transport, and nobody else', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { caller: kind, callee: kind === 'raw' ? 'socketio' : 'raw' })
        const further = await call.callee.joinAs(kind, { at: 0 })

        caller.send(caller.stateMessage('failed'))

        expect([callee.kind, further.kind]).to.have.members([...PEER_KINDS])
        for (const peer of [callee, further]) {
          const message = await peer.next('error')
          expect(message.error.code).to.equal('WEBRTC_CONNECTION_FAILED')
          expect(message).to.have.property('request_id')
        }
        await expectStatus(call, 'disconnected')
        callee.offer('marker')
        await caller.next('offer')
        expect(caller.all('error')).to.have.lengthOf(0)
        // A report ends no call: that is for the users, or the limits, to do.
        expect((await call.status()).status).to.equal('connecting')
      })

      it('is not passed on otherwise', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { caller: kind })

        caller.send(caller.stateMessage('connected', { stats: {} }))
        caller.send(caller.stateMessage('disconnected'))
        caller.offer('marker')
        await callee.next('offer')

        expect(callee.received.map(({ type }) => type)).to.deep.equal(['user-joined', 'call-status', 'offer'])
      })
    })
  }
})
