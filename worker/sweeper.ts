/**
 * Runs named sweeps, each in a loop of its own: a slow one delays no other, and none ever overlaps itself. A failure is
 * logged once for each run of failures, waited out a little, and never ends the process.
 */
import { setMaxListeners } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Logger } from '../core/platform/logger.ts'

export interface Sweep {
  name: string
  /** From the start of a pass to the start of the next; a longer pass is followed by the next at once. */
  everyMs: number
  /** One pass. It should end early when `stopping` is aborted; whatever it throws is logged and tried again. */
  run(stopping: AbortSignal): Promise<void>
}

/** A store that is back is noticed within this time. */
const BACK_OFF_MAX_MS = 2000
const PASS_BUCKETS_SECONDS = [0.005, 0.02, 0.1, 0.5, 1, 5, 30]

export class Sweeper {
  readonly #sweeps: Sweep[]
  readonly #log: Logger
  readonly #passes: Histogram<'sweep'>
  readonly #failures: Counter<'sweep'>
  readonly #succeeded: Gauge<'sweep'>
  readonly #stopping = new AbortController()
  #loops: Promise<void>[] = []

  constructor(sweeps: Sweep[], log: Logger, registry: Registry) {
    this.#sweeps = sweeps
    // Each sweep waits for it in its pause, and again in what it does: no leak, however many there are.
    setMaxListeners(0, this.#stopping.signal)
    this.#log = log
    this.#passes = new Histogram({
      name: 'sweep_seconds',
      help: 'Duration of a pass of a sweep.',
      labelNames: ['sweep'],
      buckets: PASS_BUCKETS_SECONDS,
      registers: [registry],
    })
    this.#failures = new Counter({
      name: 'sweep_failures_total',
      help: 'Passes of a sweep that failed.',
      labelNames: ['sweep'],
      registers: [registry],
    })
    this.#succeeded = new Gauge({
      name: 'sweep_last_success_timestamp_seconds',
      help: 'When a sweep of this worker succeeded last, in seconds since 1970.',
      labelNames: ['sweep'],
      registers: [registry],
    })
    const interval = new Gauge({
      name: 'sweep_interval_seconds',
      help: 'From the start of a pass to the start of the next, unless it takes longer.',
      labelNames: ['sweep'],
      registers: [registry],
    })
    for (const { name, everyMs } of sweeps) interval.set({ sweep: name }, everyMs / 1000)
  }

  get running(): boolean {
    return this.#loops.length > 0 && !this.#stopping.signal.aborted
  }

  start(): void {
    if (this.#stopping.signal.aborted) return
    this.#loops = this.#sweeps.map((sweep) => this.#loop(sweep))
  }

  /** Resolves when the passes under way are over; no further ones begin. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all(this.#loops)
  }

  async #loop(sweep: Sweep): Promise<void> {
    const { signal } = this.#stopping
    let failures = 0
    while (!signal.aborted) {
      const startedAt = performance.now()
      failures = (await this.#pass(sweep, failures)) ? 0 : failures + 1
      const dueMs = startedAt + sweep.everyMs - performance.now()
      const backOffMs = failures === 0 ? 0 : Math.min(BACK_OFF_MAX_MS, 100 * 2 ** failures)
      await pause(Math.max(0, dueMs, backOffMs), undefined, { signal }).catch(() => {})
    }
  }

  async #pass({ name, run }: Sweep, failuresBefore: number): Promise<boolean> {
    const end = this.#passes.startTimer({ sweep: name })
    try {
      await run(this.#stopping.signal)
      this.#succeeded.set({ sweep: name }, Date.now() / 1000)
      if (failuresBefore > 0) this.#log.info({ sweep: name, failures: failuresBefore }, 'sweep recovered')
      return true
    } catch (error) {
      this.#failures.inc({ sweep: name })
      const { message, cause } = error as Error
      const err = cause instanceof Error ? cause.message : message
      if (failuresBefore === 0) this.#log.warn({ sweep: name, err }, 'sweep failed')
      return false
    } finally {
      end()
    }
  }
}
