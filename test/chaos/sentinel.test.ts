/** A Redis that fails over by its sentinels while messages flow, to a replica that may lack the last of them. */
import { expect } from 'chai'
import { Redis } from 'ioredis'
import pino from 'pino'
import { createRedis, type GuardedRedis, settled } from '../../core/platform/redis.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { type RedisGroup, startRedisGroup } from '../../dev/cluster/redis-group.ts'
import { privateCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { patient } from '../support/patience.ts'
import { Fleet, pause, stopAllFleets } from './fleet.ts'
import { type Copy, type PlantedBug, plant } from './planted-bugs.ts'
import { LivenessWatch, pidsOf, rejectionsIn, stopAllLiveness } from './redis-bench.ts'
import { faultsOf, formatVerdict } from './report.ts'
import { BUSY_USERS, RestTraffic, stopAllTraffic } from './rest-traffic.ts'
import { TcpProxy } from './tcp-proxy.ts'

const full = process.env.TRIALS === 'full'
const CALLS = full ? 200 : 20
const DOWN_AFTER_MS = 1000
/** Where a failover of its own accord would spoil what is prepared, no busy machine may bring it about. */
const PATIENT_DOWN_AFTER_MS = 4000
/** Down after 1 s, a vote, a promotion, and up to 0.5 s until the processes ask again; the rest is for a busy machine. */
const RECOVERY_MS = 8000
const SETTLE_MS = patient(25_000)
const RED_SETTLE_MS = 8000

const NO_GENERATIONS: PlantedBug = {
  name: 'a promoted replica is taken for the server that it replaces',
  file: 'core/rooms/lua/prelude.lua',
  healthy: "if generation and (known[2] or history == '') then return end",
  sick: 'if generation then return end',
}

describe('signaling over a failover of Redis by its sentinels', () => {
  let group: RedisGroup
  let cluster: Cluster
  let proxy: TcpProxy
  /** The built product where it is not the checkout's own. */
  let distDir: string | undefined

  async function start(downAfterMs: number): Promise<void> {
    group = await startRedisGroup({
      downAfterMs,
      way: async (port) => {
        proxy = await TcpProxy.start(port)
        return proxy.port
      },
    })
    // The address of the primary is nowhere in the configuration: only the sentinels know it.
    cluster = await privateCluster({
      redisUrl: 'redis://asked.of.the.sentinels.invalid',
      distDir,
      env: { ...group.env, ...BUSY_USERS },
    })
  }

  afterEach(async function () {
    this.timeout(60_000)
    stopAllFleets()
    await stopAllTraffic()
    await stopAllLiveness()
    await cluster.stop()
    await group.stop()
    await proxy.stop()
  })

  /** kill -9 of the primary; resolves with the time until a message that was sent then is acknowledged, ms. */
  async function killPrimary(fleet: Fleet): Promise<number> {
    const primary = await group.primary()
    const killedAt = performance.now()
    await primary.kill('SIGKILL')
    fleet.ledger.fault('kill -9 of the primary')
    for (const client of fleet.clients) client.sendOne()
    await eventually(() => expect(fleet.clients.some((client) => client.unacked === 0)).to.equal(true), 30_000)
    const tookMs = performance.now() - killedAt
    // A message that was acknowledged just before says nothing of the next primary.
    await eventually(async () => expect((await group.primary()).port).not.to.equal(primary.port), 30_000)
    return tookMs
  }

  it('goes on when the primary is killed under load: nothing exits, is lost, doubled or reordered', async () => {
    await start(DOWN_AFTER_MS)
    const fleet = await Fleet.start(cluster, { calls: CALLS, pauseMs: full ? 1000 : 600, patiencesMs: [20_000] })
    const pids = pidsOf(cluster)
    const liveness = new LivenessWatch(cluster)
    const traffic = await RestTraffic.start(cluster, { clients: 2 })
    fleet.startSending()
    await pause(1500)

    const tookMs = await killPrimary(fleet)
    await pause(1000)
    await fleet.settle(SETTLE_MS)

    const { failed, requests } = await traffic.stop()
    const verdict = fleet.ledger.verdict()
    console.log(`      acknowledged again after ${Math.round(tookMs)} ms; ${requests} requests meanwhile`)
    if (full) console.log(formatVerdict(verdict))
    expect(faultsOf(verdict), `${formatVerdict(verdict)}\n${fleet.ledger.evidence()}`).to.deep.equal([])
    expect(tookMs).to.be.lessThan(patient(RECOVERY_MS))
    expect(failed).to.deep.equal([])
    expect(await fleet.notActive()).to.deep.equal([])
    expect(await liveness.stop()).to.deep.equal([])
    expect(pidsOf(cluster)).to.deep.equal(pids)
    expect(rejectionsIn(cluster)).to.deep.equal([])
    // The clients stayed where they were: no handshake was made for it.
    expect(verdict.reconnects.cut.count + verdict.reconnects['gave up'].count).to.equal(0)
  }).timeout(120_000)

  /** Failover to a replica that lacks what was numbered last; two of the receivers were away meanwhile. */
  async function failOverToOld(settleMs: number): Promise<{ fleet: Fleet; tookMs: number }> {
    await start(PATIENT_DOWN_AFTER_MS)
    const transports: ['raw' | 'socketio', 'raw' | 'socketio'][] = [
      ['raw', 'socketio'],
      ['raw', 'raw'],
    ]
    const fleet = await Fleet.start(cluster, { calls: 4, pauseMs: 60_000, patiencesMs: [30_000], transports })
    const quiet = () => eventually(() => expect(fleet.ledger.isSettled).to.equal(true))
    for (const client of fleet.clients) client.sendOne()
    await quiet()
    await pause(300)
    const away = fleet.calls.slice(0, 2).map(({ callee }) => callee)

    // From here on nothing reaches the replicas: what is numbered and acknowledged is known to the primary and the nodes.
    proxy.delayMs = 60_000
    for (const { caller, callee } of fleet.calls) for (const client of [caller, callee, caller]) client.sendOne()
    await quiet()
    for (const callee of away) callee.goAway()
    await pause(300)
    for (const { caller } of fleet.calls) for (let count = 0; count < 3; count++) caller.sendOne()
    await eventually(() => expect(fleet.calls.every(({ caller }) => caller.unacked === 0)).to.equal(true))
    proxy.cut()
    const tookMs = await killPrimary(fleet)
    // As many again as were lost: with the old numbers they would pass for ones that had been delivered.
    for (const { caller } of fleet.calls) for (let count = 0; count < 6; count++) caller.sendOne()
    for (const callee of away) callee.comeBack()
    await fleet.settle(settleMs)
    return { fleet, tookMs }
  }

  it('gives no number twice when the promoted replica lacks the last messages, and loses none of them', async () => {
    const { fleet, tookMs } = await failOverToOld(SETTLE_MS)

    const verdict = fleet.ledger.verdict()
    const redis = new Redis((await group.primary()).port, '127.0.0.1')
    const copied = await Promise.all(fleet.calls.map(({ id }) => redis.hget(`tchat:room:${id}`, 'pn')))
    redis.disconnect()
    // The first message of each side, and none of the six that were acknowledged after.
    expect(copied).to.deep.equal(['2', '2', '2', '2'])
    console.log(`      acknowledged again after ${Math.round(tookMs)} ms`)
    expect(faultsOf(verdict), `${formatVerdict(verdict)}\n${fleet.ledger.evidence()}`).to.deep.equal([])
    expect(verdict.gapsTold, 'clients told that something may be missing').to.be.at.least(8)
    expect(await fleet.notActive()).to.deep.equal([])
  }).timeout(120_000)

  if (full)
    describe('with a bug planted: a promoted replica is taken for the server that it replaces', () => {
      let copy: Copy

      before(() => {
        copy = plant(NO_GENERATIONS)
        distDir = copy.distDir
      })
      after(() => {
        distDir = undefined
        copy.remove()
      })

      it('finds messages lost', async () => {
        const { fleet } = await failOverToOld(RED_SETTLE_MS)

        expect(fleet.ledger.verdict().lost, formatVerdict(fleet.ledger.verdict())).to.be.greaterThan(0)
      }).timeout(120_000)
    })
})

describe('connections that ask slow sentinels', () => {
  const CLIENTS = 10
  /** A question takes two connections' worth of such delays: most clients are asking when the failover is told. */
  const SENTINEL_DELAY_MS = 200
  const AGAIN_MS = 15_000
  let group: RedisGroup
  let ways: TcpProxy[] = []
  let clients: GuardedRedis[] = []

  before(async function () {
    this.timeout(60_000)
    group = await startRedisGroup({ downAfterMs: DOWN_AFTER_MS })
    const ports = group.env.REDIS_SENTINELS.split(',').map((place) => Number(place.split(':')[1]))
    ways = await Promise.all(ports.map((port) => TcpProxy.start(port)))
    const places = ways.map(({ port }) => ({ host: '127.0.0.1', port }))
    const sentinel = { places, name: group.env.REDIS_SENTINEL_NAME, password: '' }
    const server = { url: 'redis://asked.of.the.sentinels.invalid', sentinel }
    clients = Array.from({ length: CLIENTS }, () => createRedis(server, 'commands', pino({ level: 'silent' })))
    for (const client of clients) expect(await settled(client, 10_000)).to.equal(true)
  })
  after(async () => {
    for (const client of clients) client.disconnect()
    for (const way of ways) await way.stop()
    await group.stop()
  })

  it('find the new primary when they hear of it while they ask', async () => {
    const primary = await group.primary()
    for (const way of ways) way.delayMs = SENTINEL_DELAY_MS

    await primary.kill('SIGKILL')

    await eventually(async () => {
      const places = clients.map(({ status, stream }) => (status === 'ready' ? stream.remotePort : status))
      expect((await group.primary()).port).not.to.equal(primary.port)
      expect(new Set(places)).to.deep.equal(new Set([(await group.primary()).port]))
    }, AGAIN_MS)
  }).timeout(60_000)
})
