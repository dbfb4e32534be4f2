/**
 * Writes down what is to be sent, in the statement of the event itself: no event without its deliveries, no delivery
 * without its event. Where no endpoint is configured the statement does not change at all.
 */
import type { WebhookType } from '../protocol/webhooks.ts'

export interface WebhookSubscriptions {
  subscriptions: { endpoint: string; type: WebhookType }[]
  /** How long an event is tried. */
  giveUpMs: number
}

export class WebhookQueue {
  /** Named bindings that {@link tell} refers to; none where nothing is subscribed. */
  readonly bindings: Record<string, string[] | number>
  readonly #isSubscribed: boolean

  constructor({ subscriptions, giveUpMs }: WebhookSubscriptions) {
    this.#isSubscribed = subscriptions.length > 0
    this.bindings = this.#isSubscribed
      ? {
          hookEndpoints: subscriptions.map(({ endpoint }) => endpoint),
          hookTypes: subscriptions.map(({ type }) => type),
          hookGiveUpMs: giveUpMs,
        }
      : {}
  }

  /**
   * A common table expression, with a comma after it, for a statement with the expression `moved` whose rows are rows of
   * `calls`: writes the event `type`, an SQL expression over them, for every endpoint that wants it. An event that the
   * call has had already is not written again. `moved` must hold the locks of its rows, for the order of a call's events.
   */
  tell(type: string): string {
    if (!this.#isSubscribed) return ''
    return `hooked AS (
      INSERT INTO webhook_deliveries (endpoint, call_id, type, payload, retry_until)
      SELECT subscription.endpoint, event.id, event.type, event.payload,
             clock_timestamp() + CAST(:hookGiveUpMs AS double precision) * interval '1 millisecond'
      FROM (SELECT id, ${type} AS type, to_jsonb(moved) AS payload FROM moved) AS event
      JOIN unnest(CAST(:hookEndpoints AS text[]), CAST(:hookTypes AS text[])) AS subscription (endpoint, type)
        ON subscription.type = event.type
      ON CONFLICT DO NOTHING),`
  }
}
