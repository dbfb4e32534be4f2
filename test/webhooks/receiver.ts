/**
 * A webhook receiver as somebody else would write it: a real HTTP server that verifies with the library of Standard
 * Webhooks and holds every body to the OpenAPI document. It answers as a test wants, and keeps book.
 */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import type { WebhookBody } from '../../core/protocol/webhooks.ts'
import { assertMatches } from '../support/openapi-contract.ts'

/** One request, in the order of arrival. */
export interface Receipt {
  event: WebhookBody
  headers: IncomingMessage['headers']
  /** performance.now() at its arrival. */
  atMs: number
  /** What was answered; undefined while nothing is. */
  status: number | undefined
}

/** Answers a request: a status at once or later, or whatever it does to `response` itself and then nothing. */
export type Behaviour = (receipt: Receipt, response: ServerResponse) => number | undefined | Promise<number | undefined>

export function randomWebhookSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`
}

export class Receiver {
  readonly secret: string
  readonly receipts: Receipt[] = []
  /** What no receiver should ever see: wrong signatures or bodies, an event twice at once, or before its predecessor. */
  readonly faults: string[] = []
  behave: Behaviour
  readonly #host: string
  #server: Server | undefined
  #port = 0
  readonly #open = new Set<string>()
  /** For each call the events that have come, and whether they were taken. */
  readonly #calls = new Map<string, Map<string, boolean>>()

  constructor({ behave = () => 204, secret = randomWebhookSecret(), host = '127.0.0.1' }: ReceiverOptions = {}) {
    this.behave = behave
    this.secret = secret
    this.#host = host
  }

  get url(): string {
    return `http://${this.#host}:${this.#port}/hook`
  }

  get port(): number {
    return this.#port
  }

  /** Listens, again on the same port where it did before. */
  async up(): Promise<this> {
    const server = createServer((request, response) => void this.#receive(request, response))
    server.keepAliveTimeout = 60_000
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#port, this.#host, resolve)
    })
    this.#server = server
    this.#port = (server.address() as AddressInfo).port
    return this
  }

  /** Refuses connections and cuts those that it has. */
  async down(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  }

  /** Every event that was taken, each once, in the order of the first taking. */
  get taken(): WebhookBody[] {
    const seen = new Set<string>()
    return this.receipts.flatMap(({ event, status = 0 }) => {
      if (status < 200 || status > 299 || seen.has(event.id)) return []
      seen.add(event.id)
      return [event]
    })
  }

  typesOf(callId: string): string[] {
    return this.taken.filter(({ data }) => data.call_id === callId).map(({ type }) => type)
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const event = this.#verify(Buffer.concat(chunks).toString('utf8'), request)
    if (event === undefined) return void response.writeHead(400).end()
    const receipt: Receipt = { event, headers: request.headers, atMs: performance.now(), status: undefined }
    this.receipts.push(receipt)
    this.#assertItsTurn(event)
    const callId = event.data.call_id
    this.#open.add(callId)
    response.once('close', () => this.#open.delete(callId))
    const status = await this.behave(receipt, response)
    if (status === undefined || response.destroyed) return
    receipt.status = status
    if (status >= 200 && status < 300) this.#events(callId).set(event.id, true)
    response.writeHead(status).end()
  }

  /** Nothing else of its call is open, and what came before it was taken. */
  #assertItsTurn(event: WebhookBody): void {
    const callId = event.data.call_id
    if (this.#open.has(callId)) this.faults.push(`${event.id} came while another event of its call was open`)
    const events = this.#events(callId)
    for (const [id, taken] of events)
      if (id !== event.id && !taken) this.faults.push(`${event.id} came before ${id} was taken`)
    if (!events.has(event.id)) events.set(event.id, false)
  }

  #events(callId: string): Map<string, boolean> {
    const events = this.#calls.get(callId) ?? new Map<string, boolean>()
    this.#calls.set(callId, events)
    return events
  }

  #verify(body: string, { headers }: IncomingMessage): WebhookBody | undefined {
    try {
      const event = new Webhook(this.secret).verify(body, headers as Record<string, string>) as WebhookBody
      assertMatches('WebhookEvent', event)
      if (headers['webhook-id'] !== event.id) throw new Error(`${headers['webhook-id']} is not ${event.id}`)
      if (headers['webhook-attempt'] !== String(event.attempt)) throw new Error(`not attempt ${event.attempt}`)
      return event
    } catch (error) {
      this.faults.push((error as Error).message)
      return undefined
    }
  }
}

export interface ReceiverOptions {
  behave?: Behaviour
  secret?: string
  host?: string
}
