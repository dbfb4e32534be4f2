/**
 * Group commit of relayed messages: what is sent while a flush is under way, or within the spacing under load, goes to
 * Redis together, calls in turn where there is more than one flush can take. Nothing is acknowledged that the log has not numbered (docs/decisions, "the log is the room").
 *
 * While Redis does not answer, messages wait here, bounded in number, bytes and time, and their senders are given the
 * chance to hand them to peers on this very node at once: `direct` is called once for each, in order.
 */
import { AppError } from '../core/protocol/errors.ts'
import type { RelayRequest, RelayResult } from '../core/rooms/relay-words.ts'
import type { RoomStore } from '../core/rooms/room-store.ts'
import { FairQueue, type Queued } from './fair-queue.ts'
import type { RelayMetrics } from './relay-metrics.ts'
import type { RewriteFirst } from './rewrite-first.ts'

/** Messages of one flush at most; bounds the time that a script run takes. */
const FLUSH_MAX = 256
/** A flush of more messages than this says "under load": the next one waits for the spacing. */
const LOADED_FLUSH = 4
/** Bytes of one flush at most, or one message: what Redis copies while it serves nobody else, and a recipient's node reads. */
const FLUSH_MAX_BYTES = 512 * 1024
/** What a message costs beside its body. */
const TICKET_BYTES = 1024
/** A flush that takes longer than the contract's target for signaling ("Response Time Targets") is not waited for. */
const PATIENCE_MS = 200
/** Pause before a flush whose reply did not come is sent again; its dedupe ids make that safe. */
const RETRY_MS = 50

export interface RelayTicket {
  request: RelayRequest
  /** Called at most once, where Redis keeps the message waiting. */
  direct(): void
  /** The message's place in the log, or SERVICE_UNAVAILABLE when it could not be kept. */
  done(outcome: RelayResult | AppError): void
}

interface Waiting extends Queued {
  ticket: RelayTicket
  /** Those who sent the same id again meanwhile. */
  twins: RelayTicket[]
  deadline: number
  isDirect: boolean
}

export class Relay {
  readonly #store: RoomStore
  readonly #rewriteFirst: RewriteFirst
  readonly #metrics: RelayMetrics
  readonly #spacingMs: number
  readonly #holdMs: number
  readonly #queue = new FairQueue<Waiting>()
  #inFlight: Waiting[] = []
  #scheduled = false
  #lastFlushAt = 0
  #lastFlushSize = 0
  /** Set while Redis keeps messages waiting: those that wait, by id, so that a resend does not wait twice. */
  #impatient: Map<string, Waiting> | undefined

  /** `flushMs`: least time between flushes under load. `relayHoldMs`: longest wait of a message for its number. */
  constructor(
    store: RoomStore,
    rewriteFirst: RewriteFirst,
    metrics: RelayMetrics,
    times: { flushMs: number; relayHoldMs: number },
  ) {
    this.#store = store
    this.#rewriteFirst = rewriteFirst
    this.#metrics = metrics
    this.#spacingMs = times.flushMs
    this.#holdMs = times.relayHoldMs
  }

  /** Queues a message behind those that wait. */
  submit(ticket: RelayTicket): void {
    const { request } = ticket
    const { callId } = request
    const bytes = costOf(ticket)
    if (!this.#queue.reserve(callId, bytes)) {
      this.#metrics.failed()
      ticket.done(new AppError('SERVICE_UNAVAILABLE', 'The message cannot be kept right now'))
      return
    }
    const twin = this.#impatient?.get(idOf(request))
    if (twin !== undefined) {
      twin.twins.push(ticket)
      return
    }
    const waiting = { callId, bytes, ticket, twins: [], deadline: performance.now() + this.#holdMs, isDirect: false }
    this.#queue.push(waiting)
    if (this.#impatient !== undefined) this.#goDirect(waiting)
    this.#schedule()
  }

  /** Messages that wait for their place in the log. */
  get waiting(): number {
    return this.#queue.size + this.#inFlight.length
  }

  /** Whether so much goes through this node that what is in no hurry should wait for company. */
  get isLoaded(): boolean {
    return this.#lastFlushSize > LOADED_FLUSH
  }

  #schedule(): void {
    if (this.#scheduled || this.#inFlight.length > 0 || this.#queue.size === 0) return
    this.#scheduled = true
    const wait = this.#lastFlushAt + this.#spacingMs - performance.now()
    if (this.isLoaded && wait > 0) setTimeout(() => this.#flush(), wait)
    else setImmediate(() => this.#flush())
  }

  async #flush(): Promise<void> {
    this.#scheduled = false
    const batch = this.#queue.take(FLUSH_MAX, FLUSH_MAX_BYTES)
    this.#inFlight = batch
    this.#lastFlushAt = performance.now()
    this.#lastFlushSize = batch.length
    const patience = setTimeout(() => this.#doubt(batch), PATIENCE_MS)
    const results = await this.#number(batch)
    clearTimeout(patience)
    this.#inFlight = []
    if (results === undefined) {
      this.#metrics.flushFailures.inc()
      for (const { ticket } of batch) ticket.request.mayBeSeen = true
      this.#queue.putBack(batch)
      this.#loseTouch()
      this.#expire()
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    } else {
      this.#impatient = undefined
      this.#metrics.flushSize.observe(batch.length)
      const now = performance.now()
      this.#metrics.flushSeconds.observe((now - this.#lastFlushAt) / 1000)
      for (const [index, waiting] of batch.entries()) {
        const result = results[index] as RelayResult
        this.#metrics.numbered(result, now - waiting.deadline + this.#holdMs)
        this.#settle(waiting, result)
      }
    }
    this.#schedule()
  }

  /** Undefined where Redis did not number them, or not for all this node knows. */
  async #number(batch: Waiting[]): Promise<RelayResult[] | undefined> {
    if (this.#rewriteFirst.isDue) return undefined
    return await this.#store.relay(batch.map(({ ticket }) => ticket.request)).catch(() => undefined)
  }

  /** Timers run before sockets are read: where this node itself is late, the reply may have arrived already. */
  #doubt(batch: Waiting[]): void {
    setImmediate(() => {
      if (this.#inFlight === batch) this.#loseTouch()
    })
  }

  /** Redis does not answer: everything that waits, and what comes now, may go to peers on this node directly. */
  #loseTouch(): void {
    if (this.#impatient !== undefined) return
    this.#impatient = new Map()
    for (const waiting of [...this.#inFlight, ...this.#queue]) this.#goDirect(waiting)
  }

  #goDirect(waiting: Waiting): void {
    this.#impatient?.set(idOf(waiting.ticket.request), waiting)
    if (waiting.isDirect) return
    waiting.isDirect = true
    this.#metrics.direct.inc()
    waiting.ticket.direct()
  }

  /** Fails what waited too long. */
  #expire(): void {
    const now = performance.now()
    for (const waiting of this.#queue.extract(({ deadline }) => deadline <= now)) {
      this.#impatient?.delete(idOf(waiting.ticket.request))
      this.#metrics.failed()
      this.#settle(waiting, new AppError('SERVICE_UNAVAILABLE', 'The message could not be kept in time'))
    }
  }

  #settle({ ticket, twins }: Waiting, outcome: RelayResult | AppError): void {
    for (const settled of [ticket, ...twins]) {
      this.#queue.release(settled.request.callId, costOf(settled))
      settled.done(outcome)
    }
  }
}

function costOf({ request }: RelayTicket): number {
  return request.body.length + TICKET_BYTES
}

function idOf({ callId, from, dedupeId }: RelayRequest): string {
  return callId + from + dedupeId
}
