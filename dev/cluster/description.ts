// cluster.json: what runs where, for people, the demo, load tests and whoever wants to kill something.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The content of cluster.json. A pid is null while a process is down, and for a server that is not ours. */
export interface ClusterDescription {
  /** `ca` is the file of the authority behind its certificate; null where it serves plain HTTP. */
  edge: { port: number; pid: number | null; metrics_port: number; ca: string | null } | null
  gateways: DescribedServer[]
  api: DescribedServer[]
  workers: Omit<DescribedServer, 'port'>[]
  redis: { pid: number | null; port: number; url: string }
  postgres: { pid: number | null; url: string }
  /** Null where it was not asked for. */
  turn: { pid: number | null; port: number } | null
  /** Empty where there is one group alone. */
  groups: DescribedGroup[]
}

/** A Redis, and the origin of the gateways on it. */
export interface DescribedGroup {
  name: string
  url: string
  redis: { url: string; pid: number | null }
}

interface DescribedServer {
  name: string
  pid: number | null
  port: number
  metrics_port: number
}

/** The entry of a Redis in cluster.json. A URL without a port means 6379. */
export function describeRedis({ pid, url }: { pid: number | null; url: string }): ClusterDescription['redis'] {
  return { pid, port: Number(url && new URL(url).port) || 6379, url }
}

/** Replaces the file as a whole: a reader sees the old one or the new one. For the owner alone: it holds passwords. */
export function writeDescription(runDir: string, description: ClusterDescription): void {
  const file = join(runDir, 'cluster.json')
  const partial = `${file}.${process.pid}.partial`
  writeFileSync(partial, `${JSON.stringify(description, null, 2)}\n`, { mode: 0o600 })
  renameSync(partial, file)
}

/** What runs, or `undefined` where nothing does. */
export function readDescription(runDir: string): ClusterDescription | undefined {
  try {
    return JSON.parse(readFileSync(join(runDir, 'cluster.json'), 'utf8')) as ClusterDescription
  } catch {
    return undefined
  }
}
