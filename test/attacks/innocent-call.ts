/** What an attack costs others: the latency of a call on the same gateway, and the gateway's memory. */
import { fork } from 'node:child_process'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall } from '../support/calls.ts'
import { gatewayMetrics } from '../support/metrics.ts'
import type { Peer } from '../support/peer.ts'
import type { Attack, Target } from './attackers.ts'

/** Far below the flood limit. */
const PROBE_EVERY_MS = 25
const MIB = 2 ** 20

export interface Latency {
  p50: number
  p99: number
  worst: number
}

export class InnocentCall {
  readonly #caller: Peer
  readonly #callee: Peer
  #probes = 0

  private constructor(caller: Peer, callee: Peer) {
    this.#caller = caller
    this.#callee = callee
  }

  /** Both sides are on the first gateway. */
  static async begin(cluster: Cluster): Promise<InnocentCall> {
    const call = await newCall(cluster)
    await call.answer()
    const caller = await call.caller.joinAs('raw', { at: 0 })
    const callee = await call.callee.joinAs('raw', { at: 0 })
    return new InnocentCall(caller, callee)
  }

  /** Sends offers from one side to the other for a while, one after the other. */
  async measure(forMs: number): Promise<Latency> {
    const took: number[] = []
    for (const endsAt = performance.now() + forMs; performance.now() < endsAt; ) {
      const startedAt = performance.now()
      this.#probes += 1
      const sdp = `probe ${this.#probes}`
      this.#caller.offer(sdp)
      await this.#callee.next((message) => message.type === 'offer' && message.sdp === sdp, 30_000)
      took.push(performance.now() - startedAt)
      const pauseMs = PROBE_EVERY_MS - (performance.now() - startedAt)
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
    took.sort((one, other) => one - other)
    const at = (share: number) => Math.round((took[Math.floor((took.length - 1) * share)] ?? 0) * 10) / 10
    return { p50: at(0.5), p99: at(0.99), worst: at(1) }
  }

  async end(): Promise<void> {
    await Promise.all([this.#caller.close(), this.#callee.close()])
  }
}

/** An attack that is under way. */
export interface Attacker {
  /** Connections that it has opened so far. */
  opened(): Promise<number>
  stop(): Promise<void>
}

/** Resolves when it has begun. */
export async function startAttack(name: Attack, target: Target): Promise<Attacker> {
  const child = fork(new URL('./attackers.ts', import.meta.url), [name, JSON.stringify(target)], {
    execArgv: ['--import', 'tsx'],
  })
  const answer = () =>
    new Promise<number>((resolve, reject) => {
      child.once('message', (message) => resolve((message as { opened: number }).opened))
      child.once('exit', (code) => reject(new Error(`The attacker has ended with ${code}`)))
    })
  await answer()
  return {
    opened: () => {
      const counted = answer()
      child.send('count')
      return counted
    },
    stop: () =>
      new Promise((resolve) => {
        child.removeAllListeners('exit').once('exit', () => resolve())
        child.kill('SIGKILL')
      }),
  }
}

/** Memory of the gateways, MiB. */
export async function residentMib(cluster: Cluster): Promise<number> {
  const samples = await gatewayMetrics(cluster)
  const [, bytes = 0] = [...samples].find(([name]) => name.startsWith('process_resident_memory_bytes')) ?? []
  return Math.round(bytes / MIB)
}
