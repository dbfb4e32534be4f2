/** Events of calls that did not reach a gateway: Redis was away, or this gateway did not hear it. */
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { type Redis as RedisServer, startRedis } from '../../dev/cluster/redis.ts'
import { TcpProxy } from '../chaos/tcp-proxy.ts'
import { newCall, newUser, openChannel } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { PEER_KINDS } from '../support/connect-peer.ts'

describe('rings and stops that a gateway has missed', () => {
  let cluster: Cluster
  before(async function () {
    this.timeout(60_000)
    cluster = await privateCluster({ gateways: 2, apis: 1, workers: 1, edge: false })
  })
  after(() => cluster.stop())

  for (const kind of PEER_KINDS)
    it(`come when Redis is back (${kind})`, async function () {
      this.timeout(60_000)
      const [early, late, ended] = [newUser(cluster), newUser(cluster), newUser(cluster)]
      const channels = await Promise.all(
        [early, late, ended].map((user, index) => openChannel(cluster, user, kind, { at: index % 2 })),
      )
      const before = await newCall(cluster, { callee: ended })
      await channels[2]?.next('incoming-call')

      await cluster.stopRedis()
      const ringing = await newCall(cluster, { callee: early })
      const over = await newCall(cluster, { callee: late })
      await over.end()
      await before.end()
      await cluster.startRedis()

      expect(await channels[0]?.next('incoming-call', 15_000)).to.include({ call_id: ringing.id })
      const stop = await channels[2]?.next('call-status', 15_000)
      expect(stop).to.include({ call_id: before.id, status: 'ended', end_reason: 'canceled' })
      // What began and ended meanwhile rings nobody: of the two calls only the next one does.
      const next = await newCall(cluster, { callee: late })
      await channels[1]?.next('incoming-call')
      expect(channels[1]?.all('incoming-call').map(({ call_id }) => call_id)).to.deep.equal([next.id])
      await next.end()
      await ringing.end()
      await channels[0]?.next((message) => message.type === 'call-status' && message.status === 'ended')
      expect(channels[0]?.all('incoming-call')).to.have.lengthOf(1)
    })
})

describe('a gateway that is cut off from events alone', () => {
  let redis: RedisServer
  let proxy: TcpProxy
  let cluster: Cluster
  before(async function () {
    this.timeout(60_000)
    redis = await startRedis()
    proxy = await TcpProxy.start(Number(new URL(redis.url).port))
    cluster = await privateCluster({
      gateways: 1,
      apis: 1,
      workers: 1,
      edge: false,
      redisUrl: redis.url,
      envFor: (role): Record<string, string> =>
        role === 'gateway' ? { REDIS_URL: redis.url.replace(/:\d+/, `:${proxy.port}`) } : {},
    })
  })
  after(async () => {
    await cluster.stop()
    await proxy.stop()
    await redis.stop()
  })

  for (const kind of PEER_KINDS)
    it(`learns from Postgres what rings and what has stopped (${kind})`, async function () {
      this.timeout(60_000)
      const [silent, rung, watching] = [newUser(cluster), newUser(cluster), newUser(cluster)]
      const channels = await Promise.all([silent, rung, watching].map((user) => openChannel(cluster, user, kind)))
      const stopped = await newCall(cluster, { callee: rung })
      await channels[1]?.next('incoming-call')
      const own = await newCall(cluster, { caller: watching })
      await own.callee.user.api.ringing(own.id)
      await channels[2]?.next('call-status')

      // All that is published from here on passes this gateway by, and nobody publishes it again.
      proxy.subscriptionsToCut = Number.POSITIVE_INFINITY
      proxy.cut()
      const ringing = await newCall(cluster, { callee: silent })
      await stopped.end()
      await own.answer('phone')
      proxy.subscriptionsToCut = 0

      expect(await channels[0]?.next('incoming-call', 15_000)).to.include({ call_id: ringing.id })
      const stop = await channels[1]?.next('call-status', 15_000)
      expect(stop).to.include({ call_id: stopped.id, status: 'ended', end_reason: 'canceled' })
      const active = await channels[2]?.next('call-status', 15_000)
      expect(active).to.include({ call_id: own.id, status: 'active', answered_by_device: 'phone' })
      await ringing.end()
      await own.end()
    })
})
