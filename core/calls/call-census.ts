/** What a worker sees in Postgres of all calls. The same in every worker: take the maximum, not the sum. */
import { Gauge, type Registry } from 'prom-client'

export class CallCensus {
  readonly #live: Gauge<'status'>
  readonly #outboxPending: Gauge
  readonly #outboxLag: Gauge

  constructor(registry: Registry) {
    const registers = [registry]
    this.#live = new Gauge({
      name: 'calls_live',
      help: 'Calls that ring (connecting) or are answered (active), at the last look of this worker.',
      labelNames: ['status'],
      registers,
    })
    this.#outboxPending = new Gauge({
      name: 'outbox_pending',
      help: 'Events that were committed but not yet published, at the last look of this worker.',
      registers,
    })
    this.#outboxLag = new Gauge({
      name: 'outbox_lag_seconds',
      help: 'Age of the oldest unpublished event, at the last look of this worker.',
      registers,
    })
  }

  live(counts: { connecting: number; active: number }): void {
    this.#live.set({ status: 'connecting' }, counts.connecting)
    this.#live.set({ status: 'active' }, counts.active)
  }

  outbox(pending: number, lagSeconds: number): void {
    this.#outboxPending.set(pending)
    this.#outboxLag.set(lagSeconds)
  }
}
