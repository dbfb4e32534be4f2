/** A crowd that connects at once, a gateway that dies in the middle of it, and what becomes of everybody. */
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { Cluster } from '../../../dev/cluster/cluster.ts'
import { pause } from '../fleet.ts'
import type { Spread } from '../trips.ts'
import type { CrowdOrder, CrowdReport } from './crowd.ts'
import type { Target } from './crowd-client.ts'
import { RelayProbe } from './relay-probe.ts'
import { SurvivorWatch, type Vitals } from './survivor-watch.ts'

export interface StormOptions {
  clients: number
  /** Through the edge, or straight to the gateways, each attempt to any of them. */
  through: 'edge' | 'gateways'
  /** The clients of one process: it may open 20,000 files on most machines. */
  clientsPerProcess?: number
  probes?: number
  /** The storm is given up after this. */
  deadlineMs: number
  say?: (text: string) => void
}

export interface StormResult {
  clients: number
  /** From the start until the gateway was killed, with so many in; those that lost their connection by it. */
  killedAtMs: number
  inWhenKilled: number
  lostByKill: number
  /** From the start, and from the kill, until everybody was in; undefined where some never were. */
  allInMs: number | undefined
  allInAfterKillMs: number | undefined
  attempts: number
  failures: Record<string, number>
  refused: number
  advised: number
  /** How long a client was away, over all that were let in. */
  away: Omit<Spread, 'count'>
  attemptsNeeded: Record<number, number>
  relayBefore: Spread
  relayDuring: Spread
  relayLost: number
  relayClosed: number
  vitals: Record<string, Vitals>
}

const CLIENTS_PER_PROCESS = 12_000
/** One loopback address has 28,000 ports; a port lingers for a minute after its connection. */
const ADDRESSES_PER_PROCESS = 6
const LOOK_MS = 200
const QUIET_MS = 2000

/**
 * The first gateway is killed when half of the crowd is in; the supervisor starts it again. Calls between the second and
 * the third one go on meanwhile.
 */
export async function runStorm(cluster: Cluster, options: StormOptions): Promise<StormResult> {
  const { clients, through, clientsPerProcess = CLIENTS_PER_PROCESS, probes = 10, deadlineMs, say = () => {} } = options
  const gateways = cluster.description.gateways.length
  const survivors = Array.from({ length: gateways - 1 }, (_, index) => index + 1)
  const targets =
    through === 'edge' ? [targetOf(cluster.url)] : cluster.description.gateways.map(({ port }) => at(port))
  const crowd = new Crowd(Math.ceil(clients / clientsPerProcess))
  const probe = await RelayProbe.start(cluster, probes, [1, Math.min(2, gateways - 1)])
  const watch = new SurvivorWatch(cluster, survivors)
  try {
    await crowd.prepare({ clients, targets, jwtSecret: cluster.jwtSecret })
    await pause(QUIET_MS)
    const relayBefore = probe.take()
    const startedAt = performance.now()
    const sinceStart = () => Math.round(performance.now() - startedAt)
    await crowd.tell({ start: true })
    let seen = await crowd.until(({ inNow }) => inNow >= clients / 2, deadlineMs)
    const [killedAtMs, inWhenKilled, lossesBefore] = [sinceStart(), seen.inNow, seen.losses]
    say(`${inWhenKilled} are in after ${killedAtMs} ms; killing gateway-1`)
    await cluster.kill('gateway-1', 'SIGKILL')
    const deadAtMs = sinceStart()
    // Their sockets tell the clients a moment later.
    await pause(LOOK_MS)
    seen = await crowd.until(({ inNow }) => inNow === clients, deadlineMs - sinceStart())
    const allInMs = seen.inNow === clients ? sinceStart() : undefined
    say(`${seen.inNow} of ${clients} are in after ${sinceStart()} ms`)
    const relayDuring = probe.take()
    probe.quiet()
    await pause(LOOK_MS)
    return {
      clients,
      killedAtMs,
      inWhenKilled,
      lostByKill: seen.losses - lossesBefore,
      allInMs,
      allInAfterKillMs: allInMs === undefined ? undefined : allInMs - deadAtMs,
      attempts: seen.attempts,
      failures: seen.failures,
      refused: seen.refused,
      advised: seen.advised,
      away: quantiles(seen.tookMs),
      attemptsNeeded: seen.attemptsNeeded,
      relayBefore,
      relayDuring,
      relayLost: probe.lost,
      relayClosed: probe.closed,
      vitals: watch.vitals,
    }
  } finally {
    watch.stop()
    probe.stop()
    crowd.end()
  }
}

/** The crowd's processes, and their reports as one. */
class Crowd {
  readonly #children: ChildProcess[]

  constructor(processes: number) {
    const file = join(import.meta.dirname, 'crowd.ts')
    this.#children = Array.from({ length: processes }, () => fork(file, { execArgv: ['--import', 'tsx'] }))
  }

  async prepare({ clients, ...order }: Omit<CrowdOrder, 'localAddresses'>): Promise<void> {
    const size = Math.ceil(clients / this.#children.length)
    await Promise.all(
      this.#children.map((child, index) => {
        const share = Math.min(size, clients - index * size)
        const addresses = Array.from({ length: ADDRESSES_PER_PROCESS }, (_, at) => `127.0.${index + 1}.${at + 1}`)
        return ask(child, { order: { ...order, clients: share, localAddresses: addresses } })
      }),
    )
  }

  async tell(message: object): Promise<CrowdReport> {
    return merged(await Promise.all(this.#children.map((child) => ask(child, message))))
  }

  /** Waits until the report is as wanted, or for `ms`; resolves with the last one. */
  async until(isSo: (report: CrowdReport) => boolean, ms: number): Promise<CrowdReport> {
    const deadlineAt = performance.now() + ms
    for (;;) {
      const report = await this.tell({ report: true })
      if (isSo(report) || performance.now() > deadlineAt) return report
      await pause(LOOK_MS)
    }
  }

  end(): void {
    for (const child of this.#children) child.kill('SIGKILL')
  }
}

function ask(child: ChildProcess, message: object): Promise<CrowdReport> {
  return new Promise((resolve, reject) => {
    const onExit = () => reject(new Error('A process of the crowd ended'))
    child.once('exit', onExit)
    child.once('message', (report) => {
      child.off('exit', onExit)
      resolve(report as CrowdReport)
    })
    child.send(message)
  })
}

function merged(reports: CrowdReport[]): CrowdReport {
  const sum = (of: (report: CrowdReport) => number) => reports.reduce((total, report) => total + of(report), 0)
  const counts = <K extends string | number>(of: (report: CrowdReport) => Record<K, number>) => {
    const total = {} as Record<K, number>
    for (const report of reports)
      for (const [key, value] of Object.entries(of(report)) as [K, number][]) total[key] = (total[key] ?? 0) + value
    return total
  }
  return {
    clients: sum(({ clients }) => clients),
    inNow: sum(({ inNow }) => inNow),
    attempts: sum(({ attempts }) => attempts),
    losses: sum(({ losses }) => losses),
    advised: sum(({ advised }) => advised),
    refused: sum(({ refused }) => refused),
    failures: counts(({ failures }) => failures),
    tookMs: counts(({ tookMs }) => tookMs),
    attemptsNeeded: counts(({ attemptsNeeded }) => attemptsNeeded),
  }
}

function quantiles(counts: Record<number, number>): Omit<Spread, 'count'> {
  const sorted = Object.entries(counts).map(([ms, count]) => ({ ms: Number(ms), count }))
  sorted.sort((x, y) => x.ms - y.ms)
  const total = sorted.reduce((sum, { count }) => sum + count, 0)
  const at = (part: number) => {
    let passed = 0
    for (const { ms, count } of sorted) {
      passed += count
      if (passed > total * part) return ms
    }
    return sorted.at(-1)?.ms ?? 0
  }
  return { p50: at(0.5), p99: at(0.99), max: sorted.at(-1)?.ms ?? 0 }
}

const at = (port: number): Target => ({ host: '127.0.0.1', port })
const targetOf = (url: string): Target => at(Number(new URL(url).port))
