/** What operators see of webhooks. Endpoints are few and configured; their names are labels, their URLs never. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { AttemptResult } from '../../core/webhooks/delivery.ts'
import type { Backlog } from '../../core/webhooks/delivery-upkeep.ts'

/** From a receiver next door to the longest timeout that makes sense. */
const ATTEMPT_BUCKETS_SECONDS = [0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30]
/** Label of what waits for endpoints that are not configured any more. */
const STRANGERS = 'unconfigured'

export class WebhookMetrics {
  readonly #attempts: Counter<'endpoint' | 'outcome'>
  readonly #durations: Histogram<'endpoint'>
  readonly #dead: Counter<'endpoint'>
  readonly #pending: Gauge<'endpoint'>
  readonly #lag: Gauge<'endpoint'>
  readonly #deadLetters: Gauge<'endpoint'>
  readonly #endpoints: string[]

  constructor(registry: Registry, endpoints: string[]) {
    const registers = [registry]
    const labelNames = ['endpoint'] as const
    this.#endpoints = endpoints
    this.#attempts = new Counter({
      name: 'webhook_attempts_total',
      help: 'Attempts to deliver an event, by how they ended.',
      labelNames: ['endpoint', 'outcome'],
      registers,
    })
    this.#durations = new Histogram({
      name: 'webhook_attempt_seconds',
      help: 'From the start of an attempt to its end, the look-up of the name included.',
      labelNames,
      buckets: ATTEMPT_BUCKETS_SECONDS,
      registers,
    })
    this.#dead = new Counter({
      name: 'webhook_given_up_total',
      help: 'Events of which this worker made dead letters.',
      labelNames,
      registers,
    })
    this.#pending = new Gauge({
      name: 'webhook_pending',
      help: 'Events that were not delivered yet, at the last look of this worker.',
      labelNames,
      registers,
    })
    this.#lag = new Gauge({
      name: 'webhook_lag_seconds',
      help: 'Age of the oldest of them, at the last look of this worker.',
      labelNames,
      registers,
    })
    this.#deadLetters = new Gauge({
      name: 'webhook_dead_letters',
      help: 'Events that nobody took in time, at the last look of this worker.',
      labelNames,
      registers,
    })
  }

  attempted(endpoint: string, { outcome }: AttemptResult, seconds: number): void {
    this.#attempts.inc({ endpoint, outcome })
    this.#durations.observe({ endpoint }, seconds)
  }

  gaveUp(endpoint: string, count: number): void {
    this.#dead.inc({ endpoint }, count)
  }

  /** Endpoints with nothing are told as 0. */
  observed(backlogs: Backlog[]): void {
    const strangers = backlogs.filter(({ endpoint }) => !this.#endpoints.includes(endpoint))
    const sum = (key: 'pending' | 'deadLetters') => strangers.reduce((total, backlog) => total + backlog[key], 0)
    const none = { pending: 0, lagSeconds: 0, deadLetters: 0 }
    const known = this.#endpoints.map((endpoint) => ({
      ...(backlogs.find((backlog) => backlog.endpoint === endpoint) ?? none),
      endpoint,
    }))
    const others = {
      endpoint: STRANGERS,
      pending: sum('pending'),
      lagSeconds: Math.max(0, ...strangers.map(({ lagSeconds }) => lagSeconds)),
      deadLetters: sum('deadLetters'),
    }
    for (const { endpoint, pending, lagSeconds, deadLetters } of [...known, others]) {
      this.#pending.set({ endpoint }, pending)
      this.#lag.set({ endpoint }, lagSeconds)
      this.#deadLetters.set({ endpoint }, deadLetters)
    }
  }
}
