/** A handshake that its client gave up, as its node was stopped, and that the node finds when it goes on. */
import { connect } from 'node:net'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { pause } from './fleet.ts'

describe('a handshake that its client gave up while the node was stopped', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await privateCluster({ edge: false })
  })
  after(() => cluster.stop())

  it('does not replace the connection that the same device made elsewhere afterwards', async () => {
    const call = await newCall(cluster, { callerClaims: { device_id: 'phone' } })
    const { port } = cluster.gateway(0)

    await cluster.kill('gateway-1', 'SIGSTOP')
    const socket = connect(port, '127.0.0.1')
    socket.write(
      [
        `GET /ws/signaling/${call.id}?token=${call.caller.token} HTTP/1.1`,
        'Host: gateway',
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        '\r\n',
      ].join('\r\n'),
    )
    await pause(500)
    socket.destroy()
    const peer = await call.caller.joinAs('raw', { at: 1 })
    await cluster.kill('gateway-1', 'SIGCONT')
    // The node has found the handshake when it has answered a request that came after it.
    await fetch(`${cluster.gateway(0).url}/health`)

    const ended = await Promise.race([peer.closed, pause(1000)])
    expect(ended).to.equal(undefined)
  }).timeout(30_000)
})
