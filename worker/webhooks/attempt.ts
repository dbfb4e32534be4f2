/** One attempt to deliver one event: its body, its signature, its headers. */
import { type WebhookBody, webhookEventId } from '../../core/protocol/webhooks.ts'
import type { AttemptResult, Delivery } from '../../core/webhooks/delivery.ts'
import { sign } from '../../core/webhooks/signature.ts'
import type { Sender } from './sender.ts'

export class Attempt {
  readonly #sender: Sender
  readonly #secrets: Buffer[]
  readonly #describe: (delivery: Delivery) => WebhookBody

  constructor(sender: Sender, secrets: Buffer[], describe: (delivery: Delivery) => WebhookBody) {
    this.#sender = sender
    this.#secrets = secrets
    this.#describe = describe
  }

  /**
   * What the headers say stands in the body, too, as the signature covers it there.
   * @throws only where the body cannot be made: a fault in the program
   */
  async make(delivery: Delivery): Promise<AttemptResult> {
    const id = webhookEventId(delivery.callId, delivery.type)
    const body = JSON.stringify(this.#describe(delivery))
    const timestamp = Math.floor(delivery.claimedAt.getTime() / 1000)
    return this.#sender.send(body, {
      'content-type': 'application/json',
      'user-agent': 'tchat-calling',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': sign(this.#secrets, id, timestamp, body),
      'webhook-attempt': String(delivery.attempt),
    })
  }
}
