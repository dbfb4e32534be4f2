/** What is done to a cluster while the ledger is kept: each fault is put into the books with its time. */
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { type Fleet, pause } from './fleet.ts'

/** A stopped node is found dead after 8 s: stops go from well below to well above. */
const STOP_MS = { least: 3000, most: 12_000 }
const REPLACED_DEADLINE_MS = 25_000

export class Faults {
  readonly #cluster: Cluster
  readonly #fleet: Fleet
  readonly counts = { kills: 0, stops: 0, drains: 0, redisStops: 0 }
  /** Peers that lost their node to kill -9, in calls: with both peers on it, or one. */
  readonly cut = { both: 0, one: 0 }

  constructor(cluster: Cluster, fleet: Fleet) {
    this.#cluster = cluster
    this.#fleet = fleet
  }

  /** kill -9 of gateways at the same moment; the supervisor starts them again. */
  async kill(...names: string[]): Promise<void> {
    const seats = names.map((name) => this.#fleet.peersOn(name).catch(() => ({ both: 0, one: 0 })))
    for (const [index, { both, one }] of (await Promise.all(seats)).entries()) {
      const name = names[index]
      this.#fleet.ledger.fault(`kill -9 ${name} (both peers of ${both} calls, one peer of ${one})`)
      this.counts.kills += 1
      this.cut.both += both
      this.cut.one += one
    }
    await Promise.all(names.map((name) => this.#cluster.kill(name, 'SIGKILL')))
  }

  /** Stops a process as a frozen machine would, and lets it go on. */
  async stop(name: string, ms: number = STOP_MS.least + Math.random() * (STOP_MS.most - STOP_MS.least)): Promise<void> {
    this.#fleet.ledger.fault(`SIGSTOP ${name} for ${Math.round(ms)} ms`)
    if (name === 'redis') this.counts.redisStops += 1
    else this.counts.stops += 1
    await this.#cluster.kill(name, 'SIGSTOP')
    await pause(ms)
    await this.#cluster.kill(name, 'SIGCONT')
    this.#fleet.ledger.fault(`SIGCONT ${name}`)
  }

  /** SIGTERM, then waits until the next process of that name is ready. Returns how long the old one took to end, ms. */
  async drain(name: string): Promise<number> {
    const pidOf = () => this.#cluster.description.gateways.find((gateway) => gateway.name === name)?.pid
    const old = pidOf()
    const startedAt = performance.now()
    this.#fleet.ledger.fault(`SIGTERM ${name}`)
    this.counts.drains += 1
    await this.#cluster.kill(name, 'SIGTERM')
    await eventually(() => {
      if (pidOf() === old) throw new Error(`${name} did not end after SIGTERM`)
    }, REPLACED_DEADLINE_MS)
    const tookMs = performance.now() - startedAt
    await this.ready(name)
    this.#fleet.ledger.fault(`${name} ready again`)
    return tookMs
  }

  /** Waits until a gateway runs, is ready, and has been seen by the edge's check. */
  async ready(name: string): Promise<void> {
    await eventually(() => this.#cluster.waitReady(name), REPLACED_DEADLINE_MS)
  }
}
