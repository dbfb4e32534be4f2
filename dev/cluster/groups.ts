// `CALL_GROUPS=2 make up`: several groups in one cluster (docs/groups.md). Each has a Redis, gateways and an edge; the APIs, the
// workers and Postgres are everybody's.
import { type Cluster, type ClusterOptions, startCluster } from './cluster.ts'
import type { DescribedGroup } from './description.ts'
import { Edge, type EdgeServers } from './edge.ts'
import type { Role } from './member.ts'
import { type Redis, startRedis } from './redis.ts'
import type { ProcessHome } from './supervised-process.ts'
import { waitUntil } from './wait-until.ts'

const READY_DEADLINE_MS = 20_000
const EDGE_STOP_DEADLINE_MS = 2_000

interface GroupsOptions extends ClusterOptions {
  /** The first group's edge listens here, the others on the ports that follow. */
  port: number
  /** Of each group. */
  gateways: number
  runDir: string
}

/** A cluster of `count` groups, called one, two and so on. Whatever fails, nothing stays behind. */
export async function startGroups(count: number, options: GroupsOptions): Promise<Cluster> {
  const groups = new Groups(count, options)
  try {
    return await groups.start()
  } catch (error) {
    await groups.stop()
    throw error
  }
}

const NAMES = ['one', 'two', 'three', 'four'] as const
export const MOST_GROUPS = NAMES.length

class Groups {
  readonly #names: string[]
  readonly #options: GroupsOptions
  readonly #home: ProcessHome
  #redises: Redis[] = []
  #cluster: Cluster | undefined
  /** Of all groups but the first, whose edge is the cluster's. */
  #edges: Edge[] = []

  constructor(count: number, options: GroupsOptions) {
    this.#names = NAMES.slice(0, count)
    this.#options = options
    this.#home = { runDir: options.runDir, restart: true, log: options.log, onChange: () => {} }
  }

  async start(): Promise<Cluster> {
    const { port, gateways, env } = this.#options
    for (const [index] of this.#names.entries())
      this.#redises.push(
        await startRedis({
          ...this.#home,
          name: index === 0 ? 'redis' : `redis-${index + 1}`,
          password: this.#options.redisPassword,
        }),
      )
    const listed = (value: (index: number) => string) =>
      this.#names.map((name, index) => `${name}=${value(index)}`).join(',')
    const cluster = await startCluster({
      ...this.#options,
      gateways: gateways * this.#names.length,
      redisUrl: this.#redises[0]?.url,
      env: {
        ...env,
        GROUP_REDIS_URLS: listed((index) => this.#redises[index]?.url ?? ''),
        GROUP_PUBLIC_URLS: listed((index) => `http://localhost:${port + index}`),
      },
      envFor: (role, index) => (role === 'gateway' ? { GROUP: this.#names[this.#groupOf(index)] ?? '' } : noVariables),
      behindEdge: (role, index) => this.#isBehind(0, role, index),
      groups: () => this.#describe(),
    })
    this.#cluster = cluster
    for (let group = 1; group < this.#names.length; group++) await this.#startEdge(cluster, group)
    return {
      ...cluster,
      // A spread would read it once; it changes with every restart.
      get description() {
        return cluster.description
      },
      scale: (role, wanted) => this.#scale(cluster, role, wanted),
      stop: () => this.stop(),
    }
  }

  async stop(): Promise<void> {
    for (const edge of this.#edges) await edge.process.stop(EDGE_STOP_DEADLINE_MS)
    await this.#cluster?.stop()
    await Promise.all(this.#redises.map((redis) => redis.stop()))
    await Promise.all(this.#edges.map((edge) => edge.process.close()))
  }

  /** Gateways are dealt out in turn, so that each group keeps its share when some are added or go. */
  #groupOf(gateway: number): number {
    return gateway % this.#names.length
  }

  #isBehind(group: number, role: Role, index: number): boolean {
    return role !== 'gateway' || this.#groupOf(index) === group
  }

  #describe(): DescribedGroup[] {
    return this.#names.map((name, index) => {
      const { url, pid = null } = this.#redises[index] ?? { url: '' }
      return { name, url: `http://localhost:${this.#options.port + index}`, redis: { url, pid } }
    })
  }

  #serversOf({ description }: Cluster, group: number): EdgeServers {
    const behind = (role: Role, members: { name: string; port: number; metrics_port: number }[]) =>
      members
        .filter((_member, index) => this.#isBehind(group, role, index))
        .map(({ name, port, metrics_port }) => ({ name, host: '127.0.0.1', port, checkPort: metrics_port }))
    return { apis: behind('api', description.api), gateways: behind('gateway', description.gateways) }
  }

  async #startEdge(cluster: Cluster, group: number): Promise<void> {
    const options = { port: this.#options.port + group, tls: false, name: `edge-${group + 1}` }
    const edge = await Edge.create(options, this.#serversOf(cluster, group), this.#home)
    this.#edges.push(edge)
    edge.process.start()
    await waitUntil(`${options.name} was not ready`, READY_DEADLINE_MS, () => edge.checkReady())
    edge.process.keepRunning()
  }

  async #scale(cluster: Cluster, role: Role, wanted: number): Promise<void> {
    await cluster.scale(role, role === 'gateway' ? wanted * this.#names.length : wanted)
    for (const [index, edge] of this.#edges.entries()) await edge.reload(this.#serversOf(cluster, index + 1))
  }
}

const noVariables: Record<string, string> = {}
