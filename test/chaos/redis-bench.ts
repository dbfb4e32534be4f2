/** A cluster whose Redis a test may take away, slow down or fill with rubbish, and what must hold whatever it does. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { type Redis as RedisServer, startRedis } from '../../dev/cluster/redis.ts'
import { joinBoth, newCall, type TestCall } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { patient } from '../support/patience.ts'
import type { Peer } from '../support/peer.ts'
import { Fleet, type FleetCall, type FleetOptions, pause } from './fleet.ts'
import type { LedgerClient } from './ledger-client.ts'
import { faultsOf, formatVerdict } from './report.ts'
import { TcpProxy } from './tcp-proxy.ts'

/** The promise: everything is back so long after the return of Redis. */
export const BACK_MS = 3000
/** How long the books are waited for beyond that, so that what is late is told from what is lost. */
const PATIENT_MS = patient(12_000)
const PROBE_MS = 200

export class RedisBench {
  readonly cluster: Cluster
  readonly redis: RedisServer
  readonly proxy: TcpProxy

  private constructor(cluster: Cluster, redis: RedisServer, proxy: TcpProxy) {
    this.cluster = cluster
    this.redis = redis
    this.proxy = proxy
  }

  static async start(): Promise<RedisBench> {
    const redis = await startRedis()
    const proxy = await TcpProxy.start(redis.port)
    const cluster = await privateCluster({ redisUrl: `redis://127.0.0.1:${proxy.port}` })
    return new RedisBench(cluster, redis, proxy)
  }

  async stop(): Promise<void> {
    await this.cluster.stop()
    await this.proxy.stop()
    await this.redis.stop()
  }

  /** Runs commands over a connection of its own, past the proxy. */
  async command<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(this.redis.port, '127.0.0.1')
    redis.on('error', () => {
      // The command that fails of it tells.
    })
    try {
      return await work(redis)
    } finally {
      redis.disconnect()
    }
  }

  /** SIGSTOP, and SIGCONT after `ms`. */
  async freeze(ms: number): Promise<void> {
    await this.redis.kill('SIGSTOP')
    await pause(ms)
    await this.redis.kill('SIGCONT')
  }

  /** Dead at once, and back, empty, after `ms`. */
  async killAndRestart(ms: number): Promise<void> {
    const { redis } = this
    // The supervisor would start it after 100 ms; a pause keeps it away for as long as the test wants.
    await redis.kill('SIGKILL')
    await redis.pause()
    await pause(ms)
    await redis.resume()
  }

  /**
   * Exchanges messages and changes calls while `fault` goes on, and checks what must hold of every fault: nothing lost,
   * all back in time after `fault` is over, no process ended, none looked dead, no call ended, no status missed.
   */
  async expectHarmless(fault: () => Promise<void>, options: Partial<FleetOptions> = {}): Promise<Fleet> {
    const fleet = await Fleet.start(this.cluster, { calls: 14, pauseMs: 400, patiencesMs: [4000, 20_000], ...options })
    const pids = pidsOf(this.cluster)
    const statuses = await StatusWatch.start(this.cluster)
    const liveness = new LivenessWatch(this.cluster)
    fleet.startSending()
    await pause(800)

    fleet.ledger.fault('the fault begins')
    const during = statuses.changeDuring()
    await fault()
    fleet.ledger.fault('the fault is over')
    const backAt = performance.now()
    const after = statuses.changeAfter()
    await pause(500)

    const settled = await fleet.settle(PATIENT_MS)
    const notAlive = await liveness.stop()
    const backMs = performance.now() - backAt
    const verdict = fleet.ledger.verdict()
    const words = `${formatVerdict(verdict)}\n${fleet.ledger.evidence()}`
    fleet.stop()
    const late = [...(await during), ...(await after)]
    expect(faultsOf(verdict), words).to.deep.equal([])
    expect(settled, `not everybody came back\n${words}`).to.equal(true)
    // The pause before settling and the one after it are the harness's own.
    expect(backMs - 800, 'ms until everything was acknowledged and delivered').to.be.lessThan(patient(BACK_MS))
    expect(late, 'statuses missed').to.deep.equal([])
    expect(await fleet.notActive()).to.deep.equal([])
    expect(pidsOf(this.cluster)).to.deep.equal(pids)
    expect(notAlive).to.deep.equal([])
    expect(rejectionsIn(this.cluster)).to.deep.equal([])
    return fleet
  }

  /** Calls of two raw peers on one node that send nothing by themselves; returns the first one. */
  async quietCall(calls = 1): Promise<{ fleet: Fleet; call: FleetCall }> {
    const transports: FleetOptions['transports'] = [['raw', 'raw']]
    const fleet = await Fleet.start(this.cluster, { calls, pauseMs: 1000, transports, patiencesMs: [20_000] })
    const [call] = fleet.calls
    if (call === undefined) throw new Error('No call was made')
    return { fleet, call }
  }
}

/** The product's processes: one that ended has another pid. */
export function pidsOf(cluster: Cluster): Record<string, number | null> {
  const { gateways, api, workers } = cluster.description
  return Object.fromEntries([...gateways, ...api, ...workers].map(({ name, pid }) => [name, pid]))
}

/** Log lines of promises that nobody caught. */
export function rejectionsIn(cluster: Cluster): string[] {
  const folder = join(cluster.runDir, 'logs')
  return readdirSync(folder).flatMap((file) =>
    readFileSync(join(folder, file), 'utf8')
      .split('\n')
      .filter((line) => line.includes('unhandled rejection') || line.includes('uncaught')),
  )
}

/** Watches that were not stopped: a test that fails before its end leaves one. */
const watches = new Set<LivenessWatch>()

/** For `afterEach`, before the cluster stops. */
export async function stopAllLiveness(): Promise<void> {
  await Promise.all([...watches].map((watch) => watch.stop()))
}

/** Asks every process whether it lives, all the time. */
export class LivenessWatch {
  readonly #failures: string[] = []
  readonly #watching: Promise<void>
  #stopped = false

  constructor(cluster: Cluster) {
    const { gateways, api, workers } = cluster.description
    this.#watching = this.#watch([...gateways, ...api, ...workers])
    watches.add(this)
  }

  async #watch(members: { name: string; metrics_port: number }[]): Promise<void> {
    while (!this.#stopped) {
      await Promise.all(
        members.map(async ({ name, metrics_port: port }) => {
          const url = `http://127.0.0.1:${port}/health/live`
          const status = await fetch(url, { signal: AbortSignal.timeout(2000) }).then(
            async (response) => {
              await response.arrayBuffer()
              return response.status
            },
            (error: Error) => error.message,
          )
          if (status !== 200) this.#failures.push(`${name}: ${status}`)
        }),
      )
      await pause(PROBE_MS)
    }
  }

  async stop(): Promise<string[]> {
    this.#stopped = true
    watches.delete(this)
    await this.#watching
    return this.#failures
  }
}

type Watched = Record<'answered' | 'ended' | 'endedAfter', { call: TestCall; peers: Peer[] }>

/** Calls that change their state during and after a fault, and their peers on both nodes, who must hear of it. */
class StatusWatch {
  readonly #calls: Watched

  private constructor(calls: Watched) {
    this.#calls = calls
  }

  static async start(cluster: Cluster): Promise<StatusWatch> {
    const open = async (answered: boolean) => {
      const call = await newCall(cluster)
      if (answered) await call.answer()
      const { caller, callee } = await joinBoth(call, { callee: 'socketio' })
      for (const peer of [caller, callee]) peer.skip()
      return { call, peers: [caller, callee] }
    }
    return new StatusWatch({ answered: await open(false), ended: await open(true), endedAfter: await open(true) })
  }

  /** Answers one call and ends another one; resolves with what nobody was told of. */
  async changeDuring(): Promise<string[]> {
    await pause(150)
    const { answered, ended } = this.#calls
    const [first, second] = await Promise.all([
      answered.call.answer().then(() => missed(answered.peers, 'active')),
      ended.call.end().then(() => missed(ended.peers, 'ended')),
    ])
    return [...first, ...second]
  }

  async changeAfter(): Promise<string[]> {
    const { endedAfter } = this.#calls
    await endedAfter.call.end()
    return missed(endedAfter.peers, 'ended')
  }
}

/** The longest fault here lasts 10 s; what is missed then is missed for good. */
/** On a calm machine. */
const STATUS_DEADLINE_MS = 16_000

async function missed(peers: Peer[], status: string): Promise<string[]> {
  const told = await Promise.all(
    peers.map((peer) =>
      peer
        .next((message) => message.type === 'call-status' && message.status === status, STATUS_DEADLINE_MS)
        .then(() => [])
        .catch((error: Error) => [`${peer.kind} ${status}: ${error.message}`]),
    ),
  )
  return told.flat()
}

/** One message there, so that the recipient has a place to resume from. */
export async function exchange(fleet: Fleet, sender: LedgerClient): Promise<void> {
  sender.sendOne()
  await eventually(() => expect(fleet.ledger.isSettled).to.equal(true))
}
