// A whole cluster on one machine: stores, migrations, gateways, APIs, workers, edge. `make up` runs one in the
// checkout; tests run private ones, several at once, by the same function.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { EdgeServer } from '../../edge/render.ts'
import { type ClusterDescription, writeDescription } from './description.ts'
import { createEdge } from './edge.ts'
import { type Member, MemberProcess, type Role } from './member.ts'
import { findFreePort } from './ports.ts'
import { type Postgres, startPostgres } from './postgres.ts'
import { type Redis, startRedis } from './redis.ts'
import { makeRunDir, type RunDir } from './run-dir.ts'
import type { ProcessHome, SupervisedProcess } from './supervised-process.ts'
import { GiveUp, waitUntil } from './wait-until.ts'

export interface ClusterOptions {
  /** How many of each; two gateways, one API and one worker by default, as most bugs live between two gateways. */
  gateways?: number
  apis?: number
  workers?: number
  /** Without an edge `url` is the first API's. */
  edge?: boolean
  /** The edge's port; a free one where it is 0 or left out. */
  port?: number
  /** For every process. Only PATH and the like are inherited otherwise, so that a test never depends on a shell. */
  env?: Record<string, string | undefined>
  envFor?: (role: Role, index: number) => Record<string, string>
  /** Servers of one's own instead of private ones. */
  databaseUrl?: string
  redisUrl?: string
  /** Postgres data that outlives power cuts and the next start. */
  durable?: boolean
  /** Holds data, logs and cluster.json; a private one that goes at the end where it is left out. */
  runDir?: string
  distDir?: string
  /** Starts again what dies, as Kubernetes would. On by default. */
  restart?: boolean
  log?: ProcessHome['log']
}

export interface Cluster {
  /** What every product process was given beside its own ports. */
  readonly env: Record<string, string>
  /** Where clients connect. */
  readonly url: string
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
  /** Returns once a member runs and is ready. */
  waitReady(name: string): Promise<void>
  /** Only where the store is ours. A Redis comes back empty, a Postgres with its data. */
  stopRedis(): Promise<void>
  startRedis(): Promise<void>
  restartRedis(): Promise<void>
  stopPostgres(): Promise<void>
  startPostgres(): Promise<void>
  /** Stops everything in order and waits until nothing is left. */
  stop(): Promise<void>
}

/** "make up" promises an answer within this, ready or not. */
const READY_DEADLINE_MS = 20_000
/** Longer than the processes' own shutdown deadlines, which end with a log line instead of a SIGKILL. */
const STOP_DEADLINE_MS = 15_000
const EDGE_STOP_DEADLINE_MS = 2_000
const MIGRATION_DEADLINE_MS = 60_000

const checkout = dirname(dirname(import.meta.dirname))

/** Starts a cluster and returns once every part of it is ready. Whatever fails, nothing stays behind. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const runDir = await makeRunDir(options.runDir)
  const starting = new StartingCluster(options, runDir)
  try {
    return await starting.start()
  } catch (error) {
    await starting.stop()
    throw error
  }
}

class StartingCluster {
  private readonly options: ClusterOptions
  private readonly runDir: RunDir
  private readonly home: ProcessHome
  private readonly jwtSecret: string
  private postgres: Postgres | undefined
  private redis: Redis | undefined
  private edge: SupervisedProcess | undefined
  private members: MemberProcess[] = []
  private env: Record<string, string> = {}
  private port = 0
  private stopping: Promise<void> | undefined

  constructor(options: ClusterOptions, runDir: RunDir) {
    this.options = options
    this.runDir = runDir
    this.jwtSecret = options.env?.JWT_SECRET || randomBytes(32).toString('base64url')
    this.home = {
      runDir: runDir.path,
      restart: options.restart ?? true,
      log: options.log,
      onChange: () => this.publish(),
    }
  }

  async start(): Promise<Cluster> {
    this.port = this.options.port || (await findFreePort())
    await this.startStores()
    this.env = this.environment()
    await this.migrate()
    await this.startMembers()
    if (this.options.edge ?? true) await this.startEdge()
    this.publish()
    return this.facade()
  }

  stop(): Promise<void> {
    this.stopping ??= this.stopInOrder()
    return this.stopping
  }

  private async stopInOrder(): Promise<void> {
    await this.edge?.stop(EDGE_STOP_DEADLINE_MS)
    await Promise.all(this.members.map((member) => member.process.stop(STOP_DEADLINE_MS)))
    await this.redis?.stop()
    await this.postgres?.stop()
    await Promise.all([this.edge, ...this.members.map((member) => member.process)].map((part) => part?.close()))
    this.runDir.leave()
  }

  private async startStores(): Promise<void> {
    const { databaseUrl, redisUrl, durable } = this.options
    const own = { ...this.home, durable }
    // Both at once; if one fails, the other must still be known to stop().
    const [postgres, redis] = await Promise.allSettled([
      databaseUrl ? undefined : startPostgres(own),
      redisUrl ? undefined : startRedis(own),
    ])
    if (postgres.status === 'fulfilled') this.postgres = postgres.value
    if (redis.status === 'fulfilled') this.redis = redis.value
    for (const store of [postgres, redis]) if (store.status === 'rejected') throw store.reason
  }

  private environment(): Record<string, string> {
    const { env = {}, databaseUrl, redisUrl } = this.options
    const given: Record<string, string | undefined> = {
      ...Object.fromEntries(INHERITED.map((name) => [name, process.env[name]])),
      NODE_ENV: 'test',
      PUBLIC_URL: `http://localhost:${this.port}`,
      ...env,
      PORT: String(this.port),
      BIND_ADDRESS: '127.0.0.1',
      DATABASE_URL: databaseUrl ?? this.postgres?.url,
      REDIS_URL: redisUrl ?? this.redis?.url,
    }
    // Tokens of an auth service exclude a shared secret.
    if (!given.JWT_PUBLIC_KEY && !given.JWKS_URL) given.JWT_SECRET = this.jwtSecret
    return withoutUndefined(given)
  }

  private script(name: string): string {
    const script = join(this.options.distDir ?? join(checkout, 'dist'), name, 'main.js')
    if (!existsSync(script)) throw new Error(`${script} is missing. Run "make build" first.`)
    return script
  }

  private async migrate(): Promise<void> {
    const script = this.script('migrations')
    const child = spawn(process.execPath, [script], { env: this.env, stdio: ['ignore', 'pipe', 'pipe'] })
    const output: string[] = []
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => output.push(text))
    }
    const timer = setTimeout(() => child.kill('SIGKILL'), MIGRATION_DEADLINE_MS)
    const reason = await new Promise<string | undefined>((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('close', (code, signal) => resolve(code === 0 ? undefined : (signal ?? `exit code ${code}`)))
    })
    clearTimeout(timer)
    for (const line of output.join('').split('\n').filter(Boolean)) this.home.log?.('migrations', line)
    if (reason !== undefined) throw new Error(`The migrations failed (${reason}):\n${output.join('')}`)
  }

  private async startMembers(): Promise<void> {
    const wanted: [Role, number][] = [
      ['gateway', this.options.gateways ?? 2],
      ['api', this.options.apis ?? 1],
      ['worker', this.options.workers ?? 1],
    ]
    for (const [role, count] of wanted) {
      for (let index = 0; index < count; index++) {
        const member = await MemberProcess.create(role, index, {
          script: this.script(role),
          env: { ...this.env, ...this.options.envFor?.(role, index) },
          home: this.home,
        })
        this.members.push(member)
      }
    }
    for (const member of this.members) member.process.start()
    await Promise.all(this.members.map((member) => this.untilReady(member)))
    for (const member of this.members) member.process.keepRunning()
  }

  private untilReady(member: MemberProcess): Promise<void> {
    return waitUntil(`${member.name} was not ready`, READY_DEADLINE_MS, async () => {
      const { process: own } = member
      // Before the first readiness an end is a mistake to show, not to repeat.
      if (own.pid === null && !own.isKeptRunning) throw new GiveUp(`it ended (${own.lastExitReason})\n${own.lastLines}`)
      try {
        await member.checkReady()
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        throw new Error(`${reason}\n${own.lastLines}`)
      }
    })
  }

  private async startEdge(): Promise<void> {
    const behind = (role: Role): EdgeServer[] =>
      this.members
        .filter((member) => member.role === role)
        .map(({ name, port, metricsPort }) => ({ name, host: '127.0.0.1', port, checkPort: metricsPort }))
    const servers = { port: this.port, apis: behind('api'), gateways: behind('gateway') }
    this.edge = await createEdge(servers, this.home)
    this.edge.start()
    await this.untilEdgeAnswers()
    this.edge.keepRunning()
  }

  private untilEdgeAnswers(): Promise<void> {
    const edge = this.edge
    return waitUntil('The edge did not answer', READY_DEADLINE_MS, async () => {
      if (!edge?.pid && !edge?.isKeptRunning) throw new GiveUp(`it ended (${edge?.lastExitReason})\n${edge?.lastLines}`)
      const response = await fetch(`http://127.0.0.1:${this.port}/health`, { signal: AbortSignal.timeout(2_000) })
      await response.arrayBuffer()
      if (!response.ok) throw new Error(`/health said ${response.status}`)
    })
  }

  private describe(): ClusterDescription {
    const of = (role: Role) => this.members.filter((member) => member.role === role)
    const served = ({ name, pid, port, metricsPort }: Member) => ({ name, pid, port, metrics_port: metricsPort })
    return {
      edge: this.edge ? { port: this.port, pid: this.edge.pid } : null,
      gateways: of('gateway').map(served),
      api: of('api').map(served),
      workers: of('worker').map(({ name, pid, metricsPort }) => ({ name, pid, metrics_port: metricsPort })),
      redis: { pid: this.redis?.pid ?? null, port: this.redis?.port ?? portOf(this.options.redisUrl, 6379) },
      postgres: { pid: this.postgres?.pid ?? null, url: this.postgres?.url ?? this.options.databaseUrl ?? '' },
    }
  }

  private publish(): void {
    if (!this.stopping) writeDescription(this.runDir.path, this.describe())
  }

  private member(role: Role, index: number): MemberProcess {
    return this.memberNamed(`${role}-${index + 1}`)
  }

  private memberNamed(name: string): MemberProcess {
    const member = this.members.find((candidate) => candidate.name === name)
    if (!member) throw new Error(`There is no ${name} in this cluster`)
    return member
  }

  private ownRedis(): Redis {
    if (!this.redis) throw new Error('Redis is not of this cluster')
    return this.redis
  }

  private ownPostgres(): Postgres {
    if (!this.postgres) throw new Error('Postgres is not of this cluster')
    return this.postgres
  }

  private facade(): Cluster {
    const describe = () => this.describe()
    return {
      env: this.env,
      url: this.edge ? `http://127.0.0.1:${this.port}` : this.member('api', 0).url,
      runDir: this.runDir.path,
      jwtSecret: this.jwtSecret,
      get description() {
        return describe()
      },
      gateway: (index) => this.member('gateway', index),
      api: (index) => this.member('api', index),
      worker: (index) => this.member('worker', index),
      kill: async (name, signal) => {
        if (name === 'redis') await this.ownRedis().kill(signal)
        else if (name === 'postgres') await this.ownPostgres().kill(signal)
        else if (name === 'edge') await this.edge?.kill(signal)
        else await this.memberNamed(name).process.kill(signal)
      },
      waitReady: (name) => (name === 'edge' ? this.untilEdgeAnswers() : this.untilReady(this.memberNamed(name))),
      stopRedis: () => this.ownRedis().pause(),
      startRedis: () => this.ownRedis().resume(),
      restartRedis: async () => {
        await this.ownRedis().pause()
        await this.ownRedis().resume()
      },
      stopPostgres: () => this.ownPostgres().pause(),
      startPostgres: () => this.ownPostgres().resume(),
      stop: () => this.stop(),
    }
  }
}

/** What a process needs from the machine, and nothing that would configure the product. */
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ', 'NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS']

function withoutUndefined(env: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined))
}

function portOf(url: string | undefined, standard: number): number {
  return Number((url && new URL(url).port) || standard)
}
