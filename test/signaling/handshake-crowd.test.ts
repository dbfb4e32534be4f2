/** More handshakes than a node takes: some wait, the others are told when to come back, and all who do get in. */
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { type Redis, startRedis } from '../../dev/cluster/redis.ts'
import { CrowdClient } from '../chaos/storm/crowd-client.ts'
import { TcpProxy } from '../chaos/tcp-proxy.ts'
import { type ConnectOptions, newCall, newUser } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { PEER_KINDS, refusalOf } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'

/** The line of a node that has not measured its speed yet, and some more. */
const CROWD = 560
const SLOW_MS = 500
/** Redis is fast again after this: the crowd comes within a second, and is in at a few hundred a second. */
const PATIENCE_MS = 30_000

describe('a crowd of handshakes', () => {
  let cluster: Cluster
  let redis: Redis
  let proxy: TcpProxy
  const crowd: CrowdClient[] = []

  before(async function () {
    this.timeout(60_000)
    redis = await startRedis()
    proxy = await TcpProxy.start(redis.port)
    const redisUrl = `redis://127.0.0.1:${proxy.port}`
    cluster = await privateCluster({ gateways: 1, edge: false, redisUrl, env: { HANDSHAKES_AT_ONCE: '2' } })
  })
  after(async () => {
    for (const client of crowd) client.stop()
    await cluster.stop()
    await proxy.stop()
    await redis.stop()
  })

  const waiting = async () => {
    const metrics = await fetch(`http://127.0.0.1:${cluster.gateway(0).metricsPort}/metrics`)
    return Number(/^signaling_handshakes\{state="waiting",.*\} (\d+)$/m.exec(await metrics.text())?.[1])
  }

  it('is let in as fast as the node can, and told when to come back where it cannot', async () => {
    const call = await newCall(cluster)
    let advised = 0
    // A handshake takes half a second then, and four a second get done.
    proxy.delayMs = SLOW_MS / 2
    try {
      for (let index = 0; index < CROWD; index++) {
        const options = {
          targets: [{ host: '127.0.0.1', port: cluster.gateway(0).port }],
          localAddress: '127.0.0.1',
          token: newUser(cluster).token,
          transport: index % 2 === 0 ? ('raw' as const) : ('socketio' as const),
        }
        const client = new CrowdClient(options, {
          onIn() {},
          onFailure: (failure) => {
            if (failure.advised) advised += 1
          },
          onLost() {},
        })
        crowd.push(client)
        client.start()
      }
      await eventually(async () => {
        expect(await waiting()).to.be.greaterThan(100)
        expect(advised).to.be.greaterThan(0)
      })

      for (const kind of PEER_KINDS) {
        // The line is full once the node has seen how slow it is.
        const refused = await eventually(() =>
          refusalOf(kind, call.caller.optionsFor({ at: 0 } satisfies ConnectOptions)),
        )
        expect(refused.code).to.equal('SERVICE_UNAVAILABLE')
        const envelope = kind === 'raw' ? refused.body?.error : (refused.data as { details?: object })
        const ms = Number((envelope?.details as { retry_after_ms?: number } | undefined)?.retry_after_ms)
        expect(ms).to.be.within(1, 60_000)
        if (kind === 'raw') expect(refused.headers['retry-after']).to.equal(String(Math.ceil(ms / 1000)))
      }
    } finally {
      proxy.delayMs = 0
    }

    await eventually(() => expect(crowd.filter(({ isIn }) => !isIn)).to.have.length(0), PATIENCE_MS)
    expect(await waiting()).to.equal(0)
  }).timeout(60_000)
})
