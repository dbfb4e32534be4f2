// Everything that is measured: our cluster's processes and the rivals', each on the loopback address, each supervised.
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { type Cluster, startCluster } from '../dev/cluster/cluster.ts'
import { findFreePort } from '../dev/cluster/ports.ts'
import { type Redis, startRedis } from '../dev/cluster/redis.ts'
import { SupervisedProcess } from '../dev/cluster/supervised-process.ts'
import { GiveUp, waitUntil } from '../dev/cluster/wait-until.ts'
import { withChildren } from './measure/process-cpu.ts'

const READY_DEADLINE_MS = 30_000
const STOP_DEADLINE_MS = 5_000
const here = import.meta.dirname

/**
 * The flood limits stay on, but let through what the saturation test sends: more on one connection than any browser.
 * Everything else is the product's default.
 */
const PRODUCT_ENV = {
  STUN_URLS: 'none',
  FLOOD_MESSAGES_PER_SECOND: '1000000',
  FLOOD_BURST: '1000000',
  FLOOD_BYTES_PER_SECOND: '1000000000',
  FLOOD_BURST_BYTES: '1000000000',
  NODE_ENV: 'production',
}
/** Lets a signal collect garbage before memory is read; ours and rivals' alike. */
const NODE_ARGS = ['--import', new URL('measure/collect-garbage.mjs', import.meta.url).href]

export type ServerKind = 'gateway' | 'bare-ws' | 'peerjs' | 'socketio' | 'socketio-redis'

export interface Server {
  kind: ServerKind
  port: number
  pid: number
  stop(): Promise<void>
}

/** What stays up for the whole run: our stores, API and worker, and a Redis of its own for the adapter. */
export class Stage {
  readonly cluster: Cluster
  readonly adapterRedis: Redis
  #started = 0

  private constructor(cluster: Cluster, adapterRedis: Redis) {
    this.cluster = cluster
    this.adapterRedis = adapterRedis
  }

  static async set(signal: AbortSignal): Promise<Stage> {
    const cluster = await startCluster({ gateways: 0, apis: 1, workers: 1, edge: false, env: PRODUCT_ENV, signal })
    try {
      return new Stage(cluster, await startRedis())
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  /** Starts servers of a kind side by side and returns once all of them take connections. */
  async start(kind: ServerKind, count: number): Promise<Server[]> {
    const started = await Promise.allSettled(Array.from({ length: count }, () => this.#startOne(kind)))
    const servers = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    for (const one of started)
      if (one.status === 'rejected') {
        await stopAll(servers)
        throw one.reason
      }
    return servers
  }

  async #startOne(kind: ServerKind): Promise<Server> {
    this.#started += 1
    const name = `${kind}-${this.#started}`
    const port = await findFreePort()
    const supervised = new SupervisedProcess(
      { name, command: process.execPath, ...(await this.#command(kind, name, port)) },
      { runDir: this.cluster.runDir, restart: false },
    )
    supervised.start()
    const stop = async () => {
      await supervised.stop(STOP_DEADLINE_MS)
      await supervised.close()
    }
    try {
      await waitUntil(`${name} was not ready`, READY_DEADLINE_MS, async () => {
        if (supervised.hasFailed) throw new GiveUp(`it ended (${supervised.lastExitReason})\n${supervised.lastLines}`)
        await probe(port)
      })
    } catch (error) {
      await stop()
      throw error
    }
    return { kind, port, pid: Number(supervised.pid), stop }
  }

  async #command(kind: ServerKind, name: string, port: number) {
    if (kind === 'gateway') {
      const ports = { GATEWAY_PORT: String(port), METRICS_PORT: String(await findFreePort()) }
      const script = join(dirname(here), 'dist', 'gateway', 'main.js')
      return { args: [...NODE_ARGS, script], env: { ...this.cluster.env, ...ports, NODE_NAME: name } }
    }
    const script = join(here, 'rivals', kind === 'socketio-redis' ? 'socketio.mjs' : `${kind}.mjs`)
    const redis = kind === 'socketio-redis' ? { REDIS_URL: this.adapterRedis.url } : {}
    const env = { PATH: process.env.PATH, NODE_ENV: 'production', PORT: String(port), ...redis }
    return { args: [...NODE_ARGS, script], env }
  }

  /** The Redis that a kind of server works with, if any. */
  redisPid(kind: ServerKind): number | undefined {
    if (kind === 'gateway') return this.cluster.description.redis.pid ?? undefined
    return kind === 'socketio-redis' ? (this.adapterRedis.pid ?? undefined) : undefined
  }

  /** Redis and Postgres of our cluster, Postgres with the processes that serve its clients. */
  storePids(): { redis: number[]; postgres: number[] } {
    const { redis, postgres } = this.cluster.description
    return { redis: pidsOf(redis), postgres: pidsOf(postgres).flatMap(withChildren) }
  }

  /** Our processes that relay nothing: API, worker, Postgres. */
  backgroundPids(): number[] {
    const { api, workers } = this.cluster.description
    return [...pidsOf(...api, ...workers), ...this.storePids().postgres]
  }

  /** Takes everything down. */
  async strike(): Promise<void> {
    await this.adapterRedis.stop()
    await this.cluster.stop()
  }
}

export async function stopAll(servers: Server[]): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()))
}

function pidsOf(...parts: { pid: number | null }[]): number[] {
  return parts.flatMap(({ pid }) => (pid === null ? [] : [pid]))
}

function probe(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', reject)
  })
}
