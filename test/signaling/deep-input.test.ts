/** Messages that are nested deeper than any stack, and bytes deep inside: refused, and the node goes on. */
import { expect } from 'chai'
import { io } from 'socket.io-client'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'

/** 60 kB of brackets: below the limit of a message. */
const DEPTH = 30_000
const DEEP = '['.repeat(DEPTH) + ']'.repeat(DEPTH)

describe('deep input', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  it('is refused or relayed between Socket.IO clients like any other, and the node goes on', async () => {
    const call = await newCall(cluster)
    const { port, pid } = cluster.gateway(0)
    const other = await call.callee.joinAs('raw', { at: 0 })
    const socket = io(`http://127.0.0.1:${port}`, {
      query: { call_id: call.id },
      auth: { token: call.caller.token },
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
    })
    await new Promise((resolve) => socket.once('connect', () => resolve(undefined)))
    const refused = new Promise<{ error: { code: string } }>((resolve) => socket.once('error', resolve))

    ;(socket.io.engine as unknown as { write(packet: string): void }).write(`2["offer",{"type":"offer","x":${DEEP}}]`)
    expect((await refused).error.code).to.equal('INVALID_REQUEST')
    socket.disconnect()

    await other.send(other.candidateMessage('still here'))
    expect(cluster.gateway(0).pid).to.equal(pid)
  })

  it('is relayed or refused between raw clients, and the node goes on', async () => {
    const call = await newCall(cluster)
    const { pid } = cluster.gateway(0)
    const caller = await call.caller.joinAs('raw', { at: 0 })
    const callee = await call.callee.joinAs('raw', { at: 0 })

    await caller.sendRaw(JSON.stringify(caller.offerMessage('s')).replace(/}$/, `,"x":${DEEP}}`))

    const first = await Promise.race([callee.next('offer'), caller.next('error')])
    expect(first.type).to.be.oneOf(['offer', 'error'])
    expect(cluster.gateway(0).pid).to.equal(pid)
  })

  it('refuses bytes wherever they stand', async () => {
    const call = await newCall(cluster)
    const caller = await call.caller.joinAs('socketio', { at: 0 })

    void caller.send({ ...caller.offerMessage('s'), x: { y: [Buffer.from([1, 2])] } })

    expect((await caller.next('error')).error.code).to.equal('INVALID_REQUEST')
    await caller.closed
  })
})
