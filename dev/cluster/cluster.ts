// A whole cluster on one machine. `make up` runs one in the checkout; tests run private ones, several at once, by the
// same function. This file is what its users see; lifecycle.ts is how it starts and stops.
import type { SourceLimits } from '../../edge/source-limits.ts'
import type { ClusterDescription, DescribedGroup } from './description.ts'
import { ClusterLifecycle } from './lifecycle.ts'
import type { Member, Role } from './member.ts'
import { makeRunDir } from './run-dir.ts'
import type { ProcessHome } from './supervised-process.ts'

export interface ClusterOptions {
  /** How many of each; two gateways, one API and one worker by default, as most bugs live between two gateways. */
  gateways?: number
  apis?: number
  workers?: number
  /** Without an edge `url` is the first API's. */
  edge?: boolean
  /** The edge's port; a free one where it is 0 or left out. */
  port?: number
  /** HTTPS and WSS, with a certificate of our own making; see `ca` in the description. */
  tls?: boolean
  /** How long a reloaded edge leaves WebSockets in its old worker; as in production by default. */
  hardStopSeconds?: number
  /** How much the edge holds, and of one source; see edge/source-limits.ts. */
  edgeLimits?: { maxConnections?: number; sourceLimits?: SourceLimits }
  /** Also a coturn, which `TURN_URLS` then names; `TURN_SECRET` is what `env` says, else a random one. */
  turn?: boolean
  /** For every process. Only PATH and the like are inherited otherwise, so that a test never depends on a shell. */
  env?: Record<string, string | undefined>
  /** For one process, over `env`; its index counts from 0. */
  envFor?: (role: Role, index: number) => Record<string, string>
  /** Whom the edge knows, by role and index; everybody by default. */
  behindEdge?: (role: Role, index: number) => boolean
  /** What cluster.json says of groups, where there are several; see groups.ts. */
  groups?: () => DescribedGroup[]
  /** Servers of one's own instead of private ones. */
  databaseUrl?: string
  redisUrl?: string
  /** Of a Redis that is ours; it has none where this is left out. */
  redisPassword?: string
  /** Postgres data that outlives power cuts and the next start. */
  durable?: boolean
  /** Holds data, logs and cluster.json; a private one that goes at the end where it is left out. */
  runDir?: string
  /** The built product; the checkout's dist/ by default. */
  distDir?: string
  /** Starts again what dies, as Kubernetes would. On by default. */
  restart?: boolean
  log?: ProcessHome['log']
  /** Gives up a start that is under way; what ran already is stopped before startCluster rejects. */
  signal?: AbortSignal
}

export interface Cluster {
  /** What every product process was given beside its own name and ports. */
  readonly env: Record<string, string>
  /** Where clients connect. */
  readonly url: string
  /** Holds `logs/<name>.log`. */
  readonly runDir: string
  /** Signs tokens that this cluster accepts (HS256). */
  readonly jwtSecret: string
  /** As in cluster.json, at this moment. */
  readonly description: ClusterDescription
  /** Counted from 0: `gateway(0)` is named gateway-1. */
  gateway(index: number): Member
  api(index: number): Member
  worker(index: number): Member
  /** Sends a signal to `gateway-1`, `api-1`, `worker-1`, `edge`, `redis` or `postgres`; after SIGKILL it is gone. */
  kill(name: string, signal: NodeJS.Signals): Promise<void>
  /** Returns once a member or the edge runs and is ready. */
  waitReady(name: string): Promise<void>
  /** Adds members, or drains and ends the last ones, and has the edge know. */
  scale(role: Role, count: number): Promise<void>
  /** A new worker of the edge; open WebSockets stay in the old one. */
  reloadEdge(): Promise<void>
  /** Only where the store is ours. A Redis comes back empty, a Postgres with its data. */
  stopRedis(): Promise<void>
  startRedis(): Promise<void>
  restartRedis(): Promise<void>
  stopPostgres(): Promise<void>
  startPostgres(): Promise<void>
  /** Stops everything in order and waits until nothing is left. */
  stop(): Promise<void>
}

/** Starts a cluster and returns once every part of it is ready. Whatever fails, nothing stays behind. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const lifecycle = new ClusterLifecycle(options, await makeRunDir(options.runDir))
  try {
    await lifecycle.start()
  } catch (error) {
    await lifecycle.stop()
    throw error
  }
  return {
    env: lifecycle.env,
    url: lifecycle.url,
    runDir: lifecycle.runDir,
    jwtSecret: lifecycle.jwtSecret,
    get description() {
      return lifecycle.describe()
    },
    gateway: (index) => lifecycle.member(`gateway-${index + 1}`),
    api: (index) => lifecycle.member(`api-${index + 1}`),
    worker: (index) => lifecycle.member(`worker-${index + 1}`),
    kill: (name, signal) => lifecycle.part(name).kill(signal),
    waitReady: (name) => lifecycle.untilReady(name),
    scale: (role, count) => lifecycle.scale(role, count),
    reloadEdge: () => lifecycle.reloadEdge(),
    stopRedis: () => lifecycle.ownRedis().pause(),
    startRedis: () => lifecycle.ownRedis().resume(),
    restartRedis: async () => {
      await lifecycle.ownRedis().pause()
      await lifecycle.ownRedis().resume()
    },
    stopPostgres: () => lifecycle.ownPostgres().pause(),
    startPostgres: () => lifecycle.ownPostgres().resume(),
    stop: () => lifecycle.stop(),
  }
}
