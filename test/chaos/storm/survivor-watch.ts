/** Memory and event-loop lag of gateways during a storm, from their own metrics, once a second. */
import type { Cluster } from '../../../dev/cluster/cluster.ts'

export interface Vitals {
  /** Resident memory at its most, MiB. */
  rssMib: number
  /** The longest stall of the event loop, ms. */
  lagMaxMs: number
  connections: number
  /** Since the first look. */
  cpuSeconds: number
}

const PERIOD_MS = 1000
const MIB = 1024 * 1024

export class SurvivorWatch {
  readonly #cluster: Cluster
  readonly #seen = new Map<string, Vitals & { cpuAtFirst: number }>()
  readonly #timer: NodeJS.Timeout

  constructor(cluster: Cluster, gateways: number[]) {
    this.#cluster = cluster
    const look = () => {
      for (const index of gateways) void this.#look(index)
    }
    look()
    this.#timer = setInterval(look, PERIOD_MS)
  }

  async #look(index: number): Promise<void> {
    const { name, metricsPort } = this.#cluster.gateway(index)
    const response = await fetch(`http://127.0.0.1:${metricsPort}/metrics`).catch(() => undefined)
    if (response === undefined) return
    const text = await response.text()
    const sum = (metric: string) =>
      [...text.matchAll(new RegExp(`^${metric}(?:\\{[^}]*\\})? (\\S+)`, 'gm'))].reduce(
        (total, [, value]) => total + Number(value),
        0,
      )
    const cpuSeconds = sum('process_cpu_seconds_total')
    const before = this.#seen.get(name) ?? { rssMib: 0, lagMaxMs: 0, cpuAtFirst: cpuSeconds }
    this.#seen.set(name, {
      rssMib: Math.max(before.rssMib, Math.round(sum('process_resident_memory_bytes') / MIB)),
      lagMaxMs: Math.max(before.lagMaxMs, Math.round(sum('nodejs_eventloop_lag_max_seconds') * 1000)),
      connections: sum('signaling_connections'),
      cpuAtFirst: before.cpuAtFirst,
      cpuSeconds: Math.round((cpuSeconds - before.cpuAtFirst) * 10) / 10,
    })
  }

  /** The worst so far of each gateway. */
  get vitals(): Record<string, Vitals> {
    return Object.fromEntries([...this.#seen].map(([name, { cpuAtFirst: _, ...vitals }]) => [name, vitals]))
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
