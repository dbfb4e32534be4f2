/** A deployment under load: every process is replaced in turn, or gateways are added and taken away. */
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { patient } from '../support/patience.ts'
import { Fleet, pause } from './fleet.ts'
import { faultsOf, formatTrips, formatVerdict } from './report.ts'
import { RestTraffic, type TrafficResult } from './rest-traffic.ts'

export interface RollingOptions {
  calls: number
  /** Mean pause of each of their clients between two bursts, ms. */
  pauseMs: number
  /** Users of the REST API beside them. */
  restClients: number
  /** How long the edge's old worker keeps its WebSockets, s: the cluster must have been started with it. */
  hardStopSeconds: number
  say(text: string): void
}

const REPLACED_DEADLINE_MS = 40_000
const SETTLE_MS = patient(60_000)
/** Between two steps of a deployment. */
const STEP_MS = 1000

/** What went wrong, and the figures of the run. */
export interface RollingResult {
  wrong: string[]
  report: string
}

/** Keeps calls and REST traffic up while `change` goes on. */
export async function underLoad(
  cluster: Cluster,
  options: RollingOptions,
  change: (fleet: Fleet) => Promise<void>,
): Promise<RollingResult> {
  const { calls, pauseMs, restClients, say } = options
  const fleet = await Fleet.start(cluster, { calls, pauseMs })
  say(`${calls} calls are up`)
  const traffic = await RestTraffic.start(cluster, { clients: restClients })
  try {
    fleet.startSending()
    await pause(STEP_MS)
    await change(fleet)
    await pause(STEP_MS)
    await fleet.settle(SETTLE_MS)
    return await judge(fleet, await traffic.stop())
  } finally {
    // Also where the change failed: what went on asking would keep the process of the tests.
    fleet.stop()
    await traffic.stop()
  }
}

async function judge(fleet: Fleet, rest: TrafficResult): Promise<RollingResult> {
  const verdict = fleet.ledger.verdict()
  const failedCalls = await fleet.notActive()
  const wrong = faultsOf(verdict)
  if (verdict.gapsTold > 0) wrong.push(`${verdict.gapsTold} times recovered: false`)
  if (failedCalls.length > 0) wrong.push(`${failedCalls.length} calls failed: ${failedCalls.slice(0, 3).join(', ')}`)
  if (rest.failed.length > 0) wrong.push(`${rest.failed.length} requests failed: ${rest.failed.slice(0, 3).join('; ')}`)
  const rows = { 'failed calls': failedCalls.length, ...formatTraffic(rest) }
  const report = [formatVerdict(verdict, rows), formatTrips(fleet.ledger.trips)]
  if (faultsOf(verdict).length > 0) report.push(fleet.ledger.evidence())
  return { wrong, report: report.join('\n') }
}

function formatTraffic({ requests, retried, failed, p50, p99, max }: TrafficResult): Record<string, string | number> {
  return {
    'HTTP requests': requests,
    '  sent twice': JSON.stringify(retried),
    '  failed': failed.length,
    '  took': `p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`,
  }
}

/** Replaces every gateway, API and worker in turn, then the edge's worker, and waits until the old one is gone. */
export async function rollEverything(cluster: Cluster, fleet: Fleet, options: RollingOptions): Promise<void> {
  const { gateways, api, workers } = cluster.description
  for (const { name } of [...gateways, ...api, ...workers]) {
    const tookMs = await replace(cluster, fleet, name)
    options.say(`${name} replaced, the old one ended after ${(tookMs / 1000).toFixed(1)} s`)
    await pause(STEP_MS)
  }
  fleet.ledger.fault('edge reloaded')
  await cluster.reloadEdge()
  options.say('edge reloaded; its old worker still has the WebSockets')
  await untilTheOldWorkerIsGone(fleet, options)
}

/** The WebSockets of the old worker are cut; everybody comes back through the new one. */
async function untilTheOldWorkerIsGone(fleet: Fleet, { hardStopSeconds, say }: RollingOptions): Promise<void> {
  await pause(hardStopSeconds * 1000 + STEP_MS)
  await eventually(() => {
    if (!fleet.clients.every((client) => client.isJoined)) throw new Error('not everybody is back')
  }, SETTLE_MS)
  say('the old worker is gone, everybody is back')
}

/** SIGTERM; resolves with the time until the old process had ended, once the next one is ready, ms. */
async function replace(cluster: Cluster, fleet: Fleet, name: string): Promise<number> {
  const pidOf = () => {
    const { gateways, api, workers } = cluster.description
    return [...gateways, ...api, ...workers].find((member) => member.name === name)?.pid
  }
  const old = pidOf()
  const startedAt = performance.now()
  fleet.ledger.fault(`SIGTERM ${name}`)
  await cluster.kill(name, 'SIGTERM')
  await eventually(() => {
    if (pidOf() === old) throw new Error(`${name} did not end after SIGTERM`)
  }, REPLACED_DEADLINE_MS)
  const tookMs = performance.now() - startedAt
  await eventually(() => cluster.waitReady(name), REPLACED_DEADLINE_MS)
  return tookMs
}

/** Two gateways, four, and two again; the new ones get their part of the calls before they are drained away. */
export async function scaleGateways(cluster: Cluster, fleet: Fleet, options: RollingOptions): Promise<void> {
  for (const count of [4, 2]) {
    fleet.ledger.fault(`scaling to ${count} gateways`)
    await cluster.scale('gateway', count)
    options.say(`${count} gateways`)
    await untilTheOldWorkerIsGone(fleet, options)
    // Redis may be late on a busy machine, which is nothing that this looks for.
    const seats = await eventually(() => Promise.all([1, 2, 3, 4].map((at) => fleet.peersOn(`gateway-${at}`))))
    options.say(`calls on each: ${seats.map(({ both, one }) => both + one).join(', ')}`)
  }
}
