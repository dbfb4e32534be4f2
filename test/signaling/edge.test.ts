import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { joinBoth, newCall, openChannel } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import type { Peer } from '../support/peer.ts'
import { SocketIoPeer } from '../support/socketio-peer.ts'

const at = 'edge' as const

async function exchange(one: Peer, other: Peer): Promise<void> {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    for (const name of ['1', '2', '3', '4', '5']) from.candidate(name)
    from.offer('last')
    await to.next((message) => message.type === 'offer' && message.sdp === 'last')
    expect(to.all('candidate').map(({ candidate }) => candidate)).to.deep.equal(['1', '2', '3', '4', '5'])
  }
}

describe('signaling through the edge', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  it('works for raw WebSocket and Socket.IO', async () => {
    const call = await newCall(cluster)
    const caller = await call.caller.joinAs('raw', { at })
    const callee = await call.callee.joinAs('socketio', { at })

    await exchange(caller, callee)
  })

  it('works with long polling alone', async () => {
    const call = await newCall(cluster)
    const caller = await call.caller.joinAs('socketio', { at, transports: ['polling'] })
    const callee = await call.callee.joinAs('socketio', { at, transports: ['polling'] })

    await exchange(caller, callee)

    for (const peer of [caller, callee]) expect((peer as SocketIoPeer).transport).to.equal('polling')
    await callee.close()
    await caller.next('user-left', 4_000)
  })

  it('works while a client moves from polling to WebSocket', async () => {
    const call = await newCall(cluster)
    const caller = await call.caller.connect('socketio', { at, transports: ['polling', 'websocket'] })
    if (!(caller instanceof SocketIoPeer)) throw new Error('Only Socket.IO moves')
    await caller.join()
    const callee = await call.callee.joinAs('raw', { at })

    await exchange(caller, callee)

    await eventually(() => expect(caller.transport).to.equal('websocket'))
    callee.offer('after the upgrade')
    await caller.next((message) => message.type === 'offer' && message.sdp === 'after the upgrade')
  })

  it('rings a user channel that polls', async () => {
    const call = await newCall(cluster)
    const channel = await openChannel(cluster, call.callee.user, 'socketio', { at, transports: ['polling'] })

    await call.answer()

    expect((await channel.next('call-status')).status).to.equal('active')
  })

  it('mixes with connections straight to any gateway', async () => {
    for (const gateway of [0, 1]) {
      const call = await newCall(cluster)
      const caller = await call.caller.joinAs('socketio', { at, transports: ['polling'] })
      const callee = await call.callee.joinAs('raw', { at: gateway })

      await exchange(caller, callee)
    }
  })

  it('closes a polling client when the call is over', async () => {
    const call = await newCall(cluster)
    const polling = await call.caller.joinAs('socketio', { at, transports: ['polling'] })
    await joinBoth(call)

    await call.end()

    expect(
      (await polling.next((message) => message.type === 'call-status' && message.status === 'ended')).type,
    ).to.equal('call-status')
    expect((await polling.closed).reason).to.equal('io server disconnect')
  })
})
