/** Where the target sends its webhooks: one server for all trials, which verifies each and keeps it by its call. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { Settings } from '../settings.ts'

export interface WebhookEvent {
  id: string
  type: string
  attempt: number
  data: Record<string, unknown> & { call_id: string; status: string }
}

export class WebhookReceiver {
  readonly #server: Server
  readonly #key: Buffer
  readonly #events: WebhookEvent[] = []
  /** What came without a genuine signature, or could not be read. */
  readonly faults: string[] = []

  constructor({ port, secret }: NonNullable<Settings['webhooks']>) {
    this.#key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
    this.#server = createServer((request, response) => {
      void buffer(request).then((body) => {
        this.#take(request.headers, body)
        response.writeHead(204).end()
      })
    }).listen(port, '127.0.0.1')
    // The run ends with its last trial.
    this.#server.unref()
  }

  /** The events of a call in the order in which they came, each id once. */
  of(callId: string): WebhookEvent[] {
    const known = new Set<string>()
    return this.#events.filter(({ id, data }) => data.call_id === callId && !known.has(id) && known.add(id))
  }

  #take(headers: IncomingHttpHeaders, body: Buffer): void {
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
    const right = createHmac('sha256', this.#key).update(signed).digest()
    const given = String(headers['webhook-signature'])
      .split(' ')
      .map((signature) => Buffer.from(signature.replace(/^v1,/, ''), 'base64'))
    const isGenuine = given.some((each) => each.length === right.length && timingSafeEqual(each, right))
    const isFresh = Math.abs(Date.now() / 1000 - Number(headers['webhook-timestamp'])) < 300
    if (!isGenuine || !isFresh) this.faults.push(`${headers['webhook-id']}: signature or timestamp`)
    const event = JSON.parse(String(body)) as WebhookEvent
    if (event.id !== headers['webhook-id']) this.faults.push(`${event.id} is not ${headers['webhook-id']}`)
    this.#events.push(event)
  }
}
