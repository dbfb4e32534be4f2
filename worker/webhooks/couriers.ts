/** The couriers of one worker, one for each endpoint, wired. */
import { webhookBody } from '../../core/calls/call-webhooks.ts'
import type { Platform } from '../../core/context.ts'
import { DeliveryStore } from '../../core/webhooks/delivery-store.ts'
import { DeliveryUpkeep } from '../../core/webhooks/delivery-upkeep.ts'
import { Attempt } from './attempt.ts'
import { Courier } from './courier.ts'
import { Sender } from './sender.ts'
import { WebhookMetrics } from './webhook-metrics.ts'

export class Couriers {
  readonly metrics: WebhookMetrics
  readonly upkeep: DeliveryUpkeep
  readonly #couriers: Courier[]
  readonly #senders: Sender[] = []

  /** Connects to nothing yet. */
  constructor({ config, db, log, registry }: Platform) {
    const { endpoints, timeoutMs, concurrency, allowPrivate, backoffMs, backoffMaxMs } = config.webhooks
    this.upkeep = new DeliveryUpkeep(db)
    this.metrics = new WebhookMetrics(
      registry,
      endpoints.map(({ name }) => name),
    )
    const store = new DeliveryStore(db)
    this.#couriers = endpoints.map(({ name, url, secrets }) => {
      const sender = new Sender({ url, timeoutMs, concurrency, allowPrivate })
      this.#senders.push(sender)
      const attempt = new Attempt(sender, secrets, (delivery) => webhookBody(delivery, config.groups))
      const options = { endpoint: name, timeoutMs, concurrency, backoffMs, backoffMaxMs }
      return new Courier({ store, attempt, metrics: this.metrics, log }, options)
    })
  }

  start(): void {
    for (const courier of this.#couriers) courier.start()
  }

  /** Awaits the attempts under way. */
  async stop(): Promise<void> {
    await Promise.all(this.#couriers.map((courier) => courier.stop()))
    for (const sender of this.#senders) sender.close()
  }
}
