// What each process of a cluster takes of the machine between two looks, in cores.
import type { Cluster } from '../../dev/cluster/cluster.ts'
import type { Share } from '../trials/trial.ts'
import { readMachineCpuUs } from './disturbance.ts'
import { sumCpuUs, withChildren } from './process-cpu.ts'

/** CPU of groups of processes since {@link beginShares}, in µs, and the time that has passed. */
export interface CpuSpan {
  ms: number
  /** By kind: `gateway`, `api`, `worker`, `edge`, `redis`, `postgres`, `generator`, `others`. */
  us: Record<string, number>
  /** By process. */
  shares: Share[]
}

/** Begins to look; the returned function tells what was used since. Processes that come later are not seen. */
export function beginShares(cluster: Cluster): () => CpuSpan {
  const groups = groupsOf(cluster)
  const read = () => ({
    at: performance.now(),
    machine: readMachineCpuUs(),
    own: process.cpuUsage(),
    used: groups.map(({ pids }) => sumCpuUs(pids)),
  })
  const begin = read()
  return () => {
    const end = read()
    const ms = end.at - begin.at
    const own = end.own.user + end.own.system - begin.own.user - begin.own.system
    const rows = groups.map(({ name, kind }, index) => ({
      name,
      kind,
      us: Math.max(0, (end.used[index] ?? 0) - (begin.used[index] ?? 0)),
    }))
    rows.push({ name: 'generator', kind: 'generator', us: own })
    const known = rows.reduce((sum, row) => sum + row.us, 0)
    rows.push({ name: 'others', kind: 'others', us: Math.max(0, end.machine - begin.machine - known) })
    const us: Record<string, number> = {}
    for (const row of rows) us[row.kind] = (us[row.kind] ?? 0) + row.us
    return { ms, us, shares: rows.map(({ name, us: used }) => ({ process: name, cores: used / 1000 / ms })) }
  }
}

function groupsOf(cluster: Cluster): { name: string; kind: string; pids: number[] }[] {
  const { gateways, api, workers, edge, redis, postgres } = cluster.description
  const one = (kind: string) => (part: { name: string; pid: number | null }) => ({
    name: part.name,
    kind,
    pids: pidsOf(part),
  })
  return [
    ...gateways.map(one('gateway')),
    ...api.map(one('api')),
    ...workers.map(one('worker')),
    ...(edge === null ? [] : [{ name: 'edge', kind: 'edge', pids: pidsOf(edge).flatMap(withChildren) }]),
    { name: 'redis', kind: 'redis', pids: pidsOf(redis) },
    { name: 'postgres', kind: 'postgres', pids: pidsOf(postgres).flatMap(withChildren) },
  ]
}

function pidsOf({ pid }: { pid: number | null }): number[] {
  return pid === null ? [] : [pid]
}
