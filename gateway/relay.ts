/**
 * Group commit of relayed messages: what is sent while a flush is under way, or within the spacing under load, goes to
 * Redis together. Nobody delivers or acknowledges what the log has not numbered (docs/decisions, "the log is the room").
 */

import { AppError } from '../core/protocol/errors.ts'
import type { RelayRequest, RelayResult, RoomStore } from '../core/rooms/room-store.ts'
import type { GatewayMetrics } from './gateway-metrics.ts'

/** Messages of one flush at most; bounds the time that a script run takes. */
const FLUSH_MAX = 256
/** A flush of more messages than this says "under load": the next one waits for the spacing. Measured: at 100 msg/s flushes hold 1. */
const LOADED_FLUSH = 4
/** Messages that may wait here, all calls together, before senders are told SERVICE_UNAVAILABLE at once. */
const QUEUE_MAX = 20_000
/** Pause before a flush whose reply did not come is sent again; its dedupe ids make that safe. */
const RETRY_MS = 50

type Done = (outcome: RelayResult | AppError) => void

interface Waiting {
  request: RelayRequest
  done: Done
  deadline: number
}

export class Relay {
  readonly #store: RoomStore
  readonly #metrics: GatewayMetrics
  readonly #spacingMs: number
  readonly #timeoutMs: number
  #queue: Waiting[] = []
  #scheduled = false
  #flushing = false
  #lastFlushAt = 0
  #lastFlushSize = 0

  /** `spacingMs`: least time between flushes under load. `timeoutMs`: longest wait of a message for its number. */
  constructor(store: RoomStore, metrics: GatewayMetrics, times: { flushMs: number; relayTimeoutMs: number }) {
    this.#store = store
    this.#metrics = metrics
    this.#spacingMs = times.flushMs
    this.#timeoutMs = times.relayTimeoutMs
  }

  /** Queues a message; `done` gets its place in the log, or SERVICE_UNAVAILABLE when it could not be kept in time. */
  submit(request: RelayRequest, done: Done): void {
    if (this.#queue.length >= QUEUE_MAX) {
      done(new AppError('SERVICE_UNAVAILABLE'))
      return
    }
    this.#queue.push({ request, done, deadline: performance.now() + this.#timeoutMs })
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled || this.#flushing || this.#queue.length === 0) return
    this.#scheduled = true
    const wait = this.#lastFlushAt + this.#spacingMs - performance.now()
    if (this.#lastFlushSize > LOADED_FLUSH && wait > 0) setTimeout(() => this.#flush(), wait)
    else setImmediate(() => this.#flush())
  }

  async #flush(): Promise<void> {
    this.#scheduled = false
    this.#flushing = true
    const batch = this.#queue.splice(0, FLUSH_MAX)
    this.#lastFlushAt = performance.now()
    this.#lastFlushSize = batch.length
    const results = await this.#store.relay(batch.map(({ request }) => request)).catch(() => undefined)
    if (results === undefined) {
      this.#giveBack(batch)
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    } else {
      this.#metrics.flushSize.observe(batch.length)
      this.#metrics.flushSeconds.observe((performance.now() - this.#lastFlushAt) / 1000)
      for (const [index, { done }] of batch.entries()) done(results[index] as RelayResult)
    }
    this.#flushing = false
    this.#schedule()
  }

  /** Fails what waited too long; the rest goes in front of the queue again, in its old order. */
  #giveBack(batch: Waiting[]): void {
    const now = performance.now()
    const expired = batch.filter(({ deadline }) => deadline <= now)
    this.#queue = [...batch.filter(({ deadline }) => deadline > now), ...this.#queue]
    for (const { done } of expired) done(new AppError('SERVICE_UNAVAILABLE'))
  }
}
