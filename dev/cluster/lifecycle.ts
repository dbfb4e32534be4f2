// How a cluster starts and stops: stores, migrations, gateways with APIs and workers, edge, and back in that order.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { EdgeServer } from '../../edge/render.ts'
import type { ClusterOptions } from './cluster.ts'
import { type ClusterDescription, describeRedis, writeDescription } from './description.ts'
import { Edge, type EdgeServers } from './edge.ts'
import { type Member, MemberProcess, type Role } from './member.ts'
import { memberEnv, randomSecret, withOneKey } from './member-env.ts'
import { newestSchema, runMigrations } from './migrations.ts'
import { findFreePort } from './ports.ts'
import { type Postgres, startPostgres } from './postgres.ts'
import { type Redis, startRedis } from './redis.ts'
import type { RunDir } from './run-dir.ts'
import type { ProcessHome, SupervisedProcess } from './supervised-process.ts'
import { startTurnServer, type TurnServer } from './turn-server.ts'
import { GiveUp, waitUntil } from './wait-until.ts'

/** "make up" promises an answer within this, ready or not. */
const READY_DEADLINE_MS = 20_000
/** Longer than the product's own shutdown deadline (SHUTDOWN_TIMEOUT_SECONDS), which ends with a log line, not a kill. */
const STOP_DEADLINE_MS = 25_000
const EDGE_STOP_DEADLINE_MS = 2_000

const checkout = dirname(dirname(import.meta.dirname))

/** One cluster from its first process to its last. */
export class ClusterLifecycle {
  readonly jwtSecret: string
  readonly runDir: string
  env: Record<string, string> = {}
  private readonly options: ClusterOptions
  private readonly folder: RunDir
  private readonly home: ProcessHome
  private postgres: Postgres | undefined
  private redis: Redis | undefined
  private turn: TurnServer | undefined
  private edge: Edge | undefined
  private members: MemberProcess[] = []
  private port = 0
  private stopping: Promise<void> | undefined

  constructor(options: ClusterOptions, folder: RunDir) {
    this.options = options
    this.folder = folder
    this.runDir = folder.path
    this.jwtSecret = options.env?.JWT_SECRET || randomSecret()
    const onChange = () => this.publish()
    this.home = { runDir: folder.path, restart: options.restart ?? true, log: options.log, onChange }
  }

  /** Where clients connect. */
  get url(): string {
    return this.edge?.url ?? this.member('api-1').url
  }

  /** Brings everything up, in order. After a failure {@link stop} must be called. */
  async start(): Promise<void> {
    const { signal, edge = true } = this.options
    this.port = this.options.port || (await findFreePort())
    const migrate = () => runMigrations(this.script('migrations'), withOneKey(this.env), this.options)
    const steps = [() => this.startStores(), ...(this.beginsMigrated ? [] : [migrate]), () => this.startMembers()]
    if (edge) steps.push(() => this.startEdge())
    for (const step of steps) {
      signal?.throwIfAborted()
      await step()
    }
    this.publish()
  }

  /** Takes everything down, in order; several callers share one end. */
  stop(): Promise<void> {
    this.stopping ??= this.stopInOrder()
    return this.stopping
  }

  /** What runs, as in cluster.json. */
  describe(): ClusterDescription {
    const of = (role: Role) => this.members.filter((member) => member.role === role)
    const served = ({ name, pid, port, metricsPort }: Member) => ({ name, pid, port, metrics_port: metricsPort })
    return {
      edge: this.edge
        ? { port: this.port, pid: this.edge.process.pid, metrics_port: this.edge.metricsPort, ca: this.edge.ca }
        : null,
      gateways: of('gateway').map(served),
      api: of('api').map(served),
      workers: of('worker').map(({ name, pid, metricsPort }) => ({ name, pid, metrics_port: metricsPort })),
      redis: describeRedis(this.redis ?? { pid: null, url: this.options.redisUrl ?? '' }),
      postgres: { pid: this.postgres?.pid ?? null, url: this.postgres?.url ?? this.options.databaseUrl ?? '' },
      turn: this.turn ? { pid: this.turn.pid, port: this.turn.port } : null,
      groups: this.options.groups?.() ?? [],
    }
  }

  /** A product process by name. */
  member(name: string): MemberProcess {
    const member = this.members.find((candidate) => candidate.name === name)
    if (!member) throw new Error(`There is no ${name} in this cluster`)
    return member
  }

  /** Whatever can be killed, by name. */
  part(name: string): Pick<SupervisedProcess, 'kill'> {
    if (name === 'redis') return this.ownRedis()
    if (name === 'postgres') return this.ownPostgres()
    if (name === 'edge' && this.edge) return this.edge.process
    return this.member(name).process
  }

  ownRedis(): Redis {
    if (!this.redis) throw new Error('Redis is not of this cluster')
    return this.redis
  }

  ownPostgres(): Postgres {
    if (!this.postgres) throw new Error('Postgres is not of this cluster')
    return this.postgres
  }

  /** Waits for a product process or the edge; at its first start an end is final and shown with its last lines. */
  async untilReady(name: string): Promise<void> {
    const edge = name === 'edge' ? this.edge : undefined
    const supervised = (edge ?? this.member(name)).process
    await waitUntil(`${name} was not ready`, READY_DEADLINE_MS, async () => {
      if (this.options.signal?.aborted) throw new GiveUp('the start was given up')
      if (supervised.hasFailed) throw new GiveUp(`it ended (${supervised.lastExitReason})\n${supervised.lastLines}`)
      try {
        await (edge ?? this.member(name)).checkReady()
      } catch (error) {
        throw new Error(`${error instanceof Error ? error.message : error}\n${supervised.lastLines}`)
      }
    })
  }

  private async startStores(): Promise<void> {
    const { databaseUrl, redisUrl, redisPassword, durable } = this.options
    const secrets = this.options.env?.TURN_SECRET?.split(',').map((secret) => secret.trim())
    const filling = this.beginsMigrated ? newestSchema(this.script('migrations'), this.options) : undefined
    // All at once; if one fails, the others must still be known to stop().
    const [postgres, redis, turn] = await Promise.allSettled([
      databaseUrl ? undefined : startPostgres({ ...this.home, durable, filling }),
      redisUrl ? undefined : startRedis({ ...this.home, password: redisPassword }),
      this.options.turn ? startTurnServer({ ...this.home, secrets }) : undefined,
    ])
    if (postgres.status === 'fulfilled') this.postgres = postgres.value
    if (redis.status === 'fulfilled') this.redis = redis.value
    if (turn.status === 'fulfilled') this.turn = turn.value
    for (const store of [postgres, redis, turn]) if (store.status === 'rejected') throw store.reason
    this.env = memberEnv({
      port: this.port,
      scheme: this.options.tls ? 'https' : 'http',
      databaseUrl: databaseUrl ?? this.ownPostgres().url,
      redisUrl: redisUrl ?? this.ownRedis().url,
      jwtSecret: this.jwtSecret,
      env: { ...this.options.env, ...this.turn?.env },
    })
  }

  /** Data of an earlier start may have an earlier build's schema: it is migrated where it is. */
  private get beginsMigrated(): boolean {
    return !(this.options.databaseUrl || this.options.durable || this.options.runDir)
  }

  private async startMembers(): Promise<void> {
    const { gateways = 2, apis = 1, workers = 1 } = this.options
    await this.addMembers('gateway', gateways)
    await this.addMembers('api', apis)
    await this.addMembers('worker', workers)
    for (const member of this.members) member.process.start()
    await Promise.all(this.members.map((member) => this.untilReady(member.name)))
    for (const member of this.members) member.process.keepRunning()
  }

  private async addMembers(role: Role, count: number, present = 0): Promise<MemberProcess[]> {
    const script = this.script(role)
    const added: MemberProcess[] = []
    for (let index = present; index < count; index++) {
      const env = withOneKey({ ...this.env, ...this.options.envFor?.(role, index) })
      added.push(await MemberProcess.create(role, index, { script, env, home: this.home }))
    }
    this.members.push(...added)
    return added
  }

  private script(name: string): string {
    const script = join(this.options.distDir ?? join(checkout, 'dist'), name, 'main.js')
    if (!existsSync(script)) throw new Error(`${script} is missing. Run "make build" first.`)
    return script
  }

  private get edgeServers(): EdgeServers {
    const behind = (role: Role): EdgeServer[] =>
      this.members
        .filter((member) => member.role === role)
        .filter((_member, index) => this.options.behindEdge?.(role, index) ?? true)
        .map(({ name, port, metricsPort }) => ({ name, host: '127.0.0.1', port, checkPort: metricsPort }))
    return { apis: behind('api'), gateways: behind('gateway') }
  }

  private async startEdge(): Promise<void> {
    const { tls = false, hardStopSeconds } = this.options
    // The product reads the list, and ends where it is wrong.
    const origins = this.env.CORS_ORIGINS?.split(',').map((origin) => origin.trim())
    const options = { port: this.port, tls, hardStopSeconds, origins, ...this.options.edgeLimits }
    this.edge = await Edge.create(options, this.edgeServers, this.home)
    this.edge.process.start()
    await this.untilReady('edge')
    this.edge.process.keepRunning()
  }

  /** Has the edge take over the members of this moment; see {@link Edge.reload}. */
  async reloadEdge(): Promise<void> {
    await this.edge?.reload(this.edgeServers)
  }

  /**
   * Adds members, or sends away the last ones in the way of a deployment: first ready, then known to the edge; first
   * drained and ended, then forgotten.
   */
  async scale(role: Role, count: number): Promise<void> {
    const present = this.members.filter((member) => member.role === role)
    const added = await this.addMembers(role, count, present.length)
    for (const member of added) member.process.start()
    await Promise.all(added.map((member) => this.untilReady(member.name)))
    for (const member of added) member.process.keepRunning()
    const removed = present.slice(count)
    await Promise.all(removed.map((member) => member.process.stop(STOP_DEADLINE_MS)))
    await Promise.all(removed.map((member) => member.process.close()))
    this.members = this.members.filter((member) => !removed.includes(member))
    this.publish()
    await this.reloadEdge()
  }

  private async stopInOrder(): Promise<void> {
    await this.edge?.process.stop(EDGE_STOP_DEADLINE_MS)
    await Promise.all(this.members.map((member) => member.process.stop(STOP_DEADLINE_MS)))
    await this.turn?.stop()
    await this.redis?.stop()
    await this.postgres?.stop()
    await Promise.all([this.edge, ...this.members].map((part) => part?.process.close()))
    this.folder.leave()
  }

  private publish(): void {
    if (!this.stopping) writeDescription(this.runDir, this.describe())
  }
}
