/** Two groups side by side: a Redis, two gateways and an edge each, with one Postgres, two APIs and two workers for both. */
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { Edge } from '../../dev/cluster/edge.ts'
import { findFreePort } from '../../dev/cluster/ports.ts'
import { type Redis, startRedis } from '../../dev/cluster/redis.ts'
import { makeRunDir } from '../../dev/cluster/run-dir.ts'
import { privateCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'

export const GROUPS = ['one', 'two'] as const
export type GroupName = (typeof GROUPS)[number]

/** Gateways of each group, by their index in the cluster. */
export const GATEWAYS: Record<GroupName, [number, number]> = { one: [0, 1], two: [2, 3] }

export interface TwoGroups {
  cluster: Cluster
  redis: Record<GroupName, Redis>
  /** Where each group's clients connect, as `signaling_url` names it. */
  origins: Record<GroupName, string>
  /** The group that a `signaling_url` leads to. */
  groupOf(signalingUrl: string): GroupName
  stop(): Promise<void>
}

export async function startTwoGroups(env: Record<string, string> = {}): Promise<TwoGroups> {
  const [one, two] = await Promise.all([startRedis(), startRedis()])
  const redis = { one, two }
  const ports = { one: await findFreePort(), two: await findFreePort() }
  const origins = { one: `http://localhost:${ports.one}`, two: `http://localhost:${ports.two}` }
  const cluster = await privateCluster({
    gateways: 4,
    apis: 2,
    workers: 2,
    edge: false,
    redisUrl: one.url,
    env: {
      ...env,
      PUBLIC_URL: origins.one,
      GROUP_REDIS_URLS: `one=${one.url},two=${two.url}`,
      GROUP_PUBLIC_URLS: `two=${origins.two}`,
    },
    envFor: (role, index) =>
      role === 'gateway' && GATEWAYS.two.includes(index) ? { GROUP: 'two' } : ({} as Record<string, string>),
  })
  const edges = await Promise.all(GROUPS.map((name) => startEdge(cluster, ports[name], GATEWAYS[name])))
  return {
    cluster,
    redis,
    origins,
    groupOf: (url) => (url.startsWith(origins.two.replace('http', 'ws')) ? 'two' : 'one'),
    async stop() {
      for (const edge of edges) await edge.stop()
      await cluster.stop()
      await Promise.all([one.stop(), two.stop()])
    },
  }
}

async function startEdge(cluster: Cluster, port: number, gateways: number[]): Promise<{ stop(): Promise<void> }> {
  const folder = await makeRunDir(undefined)
  const behind = ({ name, port: own, metricsPort }: { name: string; port: number; metricsPort: number }) => ({
    name,
    host: '127.0.0.1',
    port: own,
    checkPort: metricsPort,
  })
  const servers = {
    apis: [0, 1].map((index) => behind(cluster.api(index))),
    gateways: gateways.map((index) => behind(cluster.gateway(index))),
  }
  const edge = await Edge.create({ port, tls: false }, servers, { runDir: folder.path, restart: true })
  edge.process.start()
  await eventually(async () => {
    const response = await fetch(`http://127.0.0.1:${port}/health`)
    if (!response.ok) throw new Error(`/health said ${response.status}`)
  })
  return {
    async stop() {
      await edge.process.stop(2_000)
      await edge.process.close()
      folder.leave()
    },
  }
}
