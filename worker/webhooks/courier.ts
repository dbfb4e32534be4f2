/**
 * Brings the events of one endpoint to it, in a loop of its own: write down what has ended, claim what there is room
 * for, wait. A slow or dead endpoint fills its own slots and holds up nobody else; its loop uses one connection to the
 * database at a time.
 */
import type { Logger } from '../../core/platform/logger.ts'
import type { AttemptResult, Delivery, Settlement } from '../../core/webhooks/delivery.ts'
import type { DeliveryStore } from '../../core/webhooks/delivery-store.ts'
import { type Backoff, judge } from '../../core/webhooks/verdict.ts'
import type { Attempt } from './attempt.ts'
import type { WebhookMetrics } from './webhook-metrics.ts'

/**
 * How often a courier with nothing to do looks again: an event goes out this long after its commit at the latest. No
 * LISTEN/NOTIFY: a commit with a NOTIFY takes a lock of the whole server (docs/decisions/0041).
 */
const POLL_MS = 200
/**
 * A claim outlives the longest attempt by this. The first half is for the way to the attempt: one that starts later is
 * given back, so that two processes never send the same event at once. The second is for writing down how it ended.
 */
const LEASE_MARGIN_MS = 3000
const BACK_OFF_MAX_MS = 2000

export interface CourierOptions extends Backoff {
  endpoint: string
  timeoutMs: number
  concurrency: number
}

interface Dependencies {
  store: DeliveryStore
  attempt: Attempt
  metrics: WebhookMetrics
  log: Logger
}

export class Courier {
  readonly #deps: Dependencies
  readonly #options: CourierOptions
  readonly #log: Logger
  #loop: Promise<void> = Promise.resolve()
  #stopping = false
  #underWay = 0
  #ended: Settlement[] = []
  #late: Delivery[] = []
  #wake: (() => void) | undefined
  #isWoken = false
  #failures = 0

  constructor(deps: Dependencies, options: CourierOptions) {
    this.#deps = deps
    this.#options = options
    this.#log = deps.log.child({ endpoint: options.endpoint })
  }

  start(): void {
    this.#loop = this.#run()
  }

  /** Claims nothing more, and resolves when the attempts under way have ended and are written down. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#wakeUp()
    await this.#loop
  }

  async #run(): Promise<void> {
    while (!this.#stopping || this.#underWay > 0 || this.#ended.length > 0) {
      let more = false
      try {
        await this.#settle()
        more = !this.#stopping && (await this.#claim())
        if (this.#failures > 0) this.#log.info({ failures: this.#failures }, 'webhooks go on')
        this.#failures = 0
      } catch (error) {
        if (this.#failures++ === 0) this.#log.warn({ err: (error as Error).message }, 'webhooks wait for postgres')
        // What is not written down is sent again once its lease is over; receivers know its id.
        if (this.#stopping) return
      }
      if (!more) await this.#rest(this.#failures === 0 ? POLL_MS : Math.min(BACK_OFF_MAX_MS, 100 * 2 ** this.#failures))
    }
  }

  async #settle(): Promise<void> {
    const late = this.#late.splice(0)
    if (late.length > 0) await this.#deps.store.release(late)
    if (this.#ended.length === 0) return
    const ended = this.#ended.splice(0)
    const dead = new Set(await this.#writeDown(ended))
    this.#deps.metrics.gaveUp(this.#options.endpoint, dead.size)
    for (const { id, result } of ended)
      if (dead.has(id)) this.#log.warn({ deadLetter: id, ...result }, 'webhook given up')
  }

  /** What cannot be written down now is kept for the next turn. */
  #writeDown(ended: Settlement[]): Promise<string[]> {
    return this.#deps.store.settle(ended).catch((error) => {
      this.#ended.unshift(...ended)
      throw error
    })
  }

  /** True where there may be more that is due and there is room for it. */
  async #claim(): Promise<boolean> {
    const { endpoint, concurrency, timeoutMs } = this.#options
    const room = concurrency - this.#underWay
    if (room <= 0) return false
    // Before the claim, so that the lease is over later than this process believes.
    const claimedAtMs = performance.now()
    const leaseMs = timeoutMs + LEASE_MARGIN_MS
    const { deliveries, more } = await this.#deps.store.claim(endpoint, { limit: room, leaseMs })
    for (const delivery of deliveries) void this.#deliver(delivery, claimedAtMs)
    return more && deliveries.length < room
  }

  async #deliver(delivery: Delivery, claimedAtMs: number): Promise<void> {
    const { endpoint } = this.#options
    const startedAtMs = performance.now()
    // The process was stopped, say, and the lease may be somebody else's soon.
    if (startedAtMs - claimedAtMs > LEASE_MARGIN_MS / 2) this.#late.push(delivery)
    else {
      this.#underWay++
      const result = await this.#deps.attempt.make(delivery).catch((error: Error): AttemptResult => {
        this.#log.error({ callId: delivery.callId, err: error.stack }, 'webhook not made')
        return { outcome: 'fault' }
      })
      this.#underWay--
      this.#deps.metrics.attempted(endpoint, result, (performance.now() - startedAtMs) / 1000)
      const verdict = judge(result, delivery.attempt, this.#options)
      this.#ended.push({ id: delivery.id, lease: delivery.lease, verdict, result })
    }
    this.#wakeUp()
  }

  #wakeUp(): void {
    this.#isWoken = true
    this.#wake?.()
  }

  /** Until the next look, or until an attempt has ended. */
  async #rest(ms: number): Promise<void> {
    if (!this.#isWoken)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    this.#wake = undefined
    this.#isWoken = false
  }
}
