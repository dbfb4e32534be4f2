/** What operators see of calls. Labels have few values, never an id. */
import { Counter, Histogram, type Registry } from 'prom-client'
import type { CallStatus, CallType, EndReason } from '../protocol/signaling.ts'
import { type Call, ringStateOf } from './call.ts'
import { CallCensus } from './call-census.ts'

/** From a quick "yes" to the longest ring; the default ring limit is 45 s. */
const SETUP_BUCKETS_SECONDS = [1, 2, 5, 10, 15, 20, 30, 45, 60, 90]

/** From an open user channel to a phone that a push message has woken. */
const RING_BUCKETS_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30]

/** Decisions, "Call state machine": a worker acts within 1 s of a deadline. */
const OVERRUN_BUCKETS_SECONDS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300]

export class CallMetrics {
  readonly #registry: Registry
  #census: CallCensus | undefined
  readonly #initiated: Counter<'type'>
  readonly #answered: Counter
  readonly #merged: Counter
  readonly #ring: Histogram
  readonly #unreachable: Counter
  readonly #over: Counter<'status' | 'reason'>
  readonly #setup: Histogram
  readonly #overrun: Histogram
  readonly #published: Counter<'by'>

  constructor(registry: Registry) {
    const registers = [registry]
    this.#registry = registry
    this.#initiated = new Counter({
      name: 'calls_initiated_total',
      help: 'Calls created by this process.',
      labelNames: ['type'],
      registers,
    })
    this.#answered = new Counter({
      name: 'calls_answered_total',
      help: 'Calls answered through this process.',
      registers,
    })
    this.#merged = new Counter({
      name: 'calls_merged_total',
      help: 'Calls answered by an initiate of their callee (on_glare).',
      registers,
    })
    this.#ring = new Histogram({
      name: 'call_ring_seconds',
      help: 'From the creation of a call to the first receipt of a device that rings.',
      buckets: RING_BUCKETS_SECONDS,
      registers,
    })
    this.#unreachable = new Counter({
      name: 'calls_unreachable_total',
      help: 'Calls whose callee no device has confirmed to ring within the limit.',
      registers,
    })
    this.#over = new Counter({
      name: 'calls_over_total',
      help: 'Calls that this process brought to an end.',
      labelNames: ['status', 'reason'],
      registers,
    })
    this.#setup = new Histogram({
      name: 'call_setup_seconds',
      help: 'From the creation of a call to its answer.',
      buckets: SETUP_BUCKETS_SECONDS,
      registers,
    })
    this.#overrun = new Histogram({
      name: 'call_ring_overrun_seconds',
      help: 'How long after its ring limit a call was ended that nobody had answered.',
      buckets: OVERRUN_BUCKETS_SECONDS,
      registers,
    })
    this.#published = new Counter({
      name: 'outbox_published_total',
      help: 'Events published at once by the process that committed them, and later by a worker (committer, worker).',
      labelNames: ['by'],
      registers,
    })
  }

  initiated(type: CallType): void {
    this.#initiated.inc({ type })
  }

  merged(): void {
    this.#merged.inc()
  }

  /** Counts a receipt, or the lack of one. */
  ringStateChanged(call: Call): void {
    if (ringStateOf(call) === 'unreachable') this.#unreachable.inc()
    else if (call.ringingAt !== null) this.#ring.observe((call.ringingAt.getTime() - call.createdAt.getTime()) / 1000)
  }

  /** Counts a transition that this process has performed. */
  transitioned(call: Call): void {
    if (call.status === 'active') {
      this.#answered.inc()
      if (call.answeredAt !== null) this.#setup.observe((call.answeredAt.getTime() - call.createdAt.getTime()) / 1000)
    } else this.#ended(call.status, call.endReason)
    if (call.endReason !== 'no_answer' || call.endedAt === null) return
    // A client that ends a ring with `timeout` may do so before its limit.
    const overrunMs = call.endedAt.getTime() - call.ringExpiresAt.getTime()
    if (overrunMs >= 0) this.#overrun.observe(overrunMs / 1000)
  }

  #ended(status: CallStatus, reason: EndReason | null): void {
    this.#over.inc({ status, reason: reason ?? 'unknown' })
  }

  published(by: 'committer' | 'worker', count: number): void {
    this.#published.inc({ by }, count)
  }

  /** What a worker counts in Postgres. Made when it is first asked for: other processes have no such metrics. */
  get census(): CallCensus {
    this.#census ??= new CallCensus(this.#registry)
    return this.#census
  }
}
