/** A connection to the signaling half as a trial sees it, whatever carries it. */
import assert from 'node:assert/strict'
import type { User } from '../users.ts'

export const TRANSPORTS = ['raw WebSocket', 'Socket.IO', 'Socket.IO by polling'] as const
export type Transport = (typeof TRANSPORTS)[number]

/** A message in either direction. Which fields it must have is what trials look at. */
export interface Message {
  type: string
  call_id?: string
  user_id?: string
  from?: string
  to?: string
  sdp?: string
  candidate?: string
  id?: string | number
  seq?: string
  participants?: string[]
  status?: string
  version?: number
  timestamp?: string
  end_reason?: string
  answered_by_device?: string
  ring_state?: string
  caller_id?: string
  call_type?: string
  signaling_url?: string
  recovered?: boolean
  count?: number
  iceServers?: unknown[]
  ttl_seconds?: number
  error?: { code: string; message: string; details?: Record<string, unknown> }
  ref?: string | number
  [additive: string]: unknown
}

/** How a connection ended. `code` is a WebSocket's, `reason` Socket.IO's. */
export interface Closing {
  code?: number
  reason?: string
}

export interface Opening {
  /** Left out for a user channel. */
  callId?: string
  since?: string
  deviceId?: string
  /** In place of the user's token. */
  token?: string
  /** In place of a token. */
  ticket?: string
  /** As additional headers of the handshake. */
  headers?: Record<string, string>
  /** Of a raw WebSocket: says nothing any more, not even to pings, so that its end is a loss. */
}

/** A handshake that the server has refused. */
export class Refused extends Error {
  /** Of the HTTP answer to a raw WebSocket. */
  readonly status: number | undefined
  readonly code: string | undefined
  readonly details: Record<string, unknown> | undefined

  constructor(status: number | undefined, error: { code?: string; details?: Record<string, unknown> } | undefined) {
    super(`refused with ${status ?? ''} ${error?.code ?? 'nothing that says why'}`)
    this.status = status
    this.code = error?.code
    this.details = error?.details
  }
}

interface Wanted {
  accepts(message: Message): boolean
  found(message: Message): void
}

export abstract class Connection {
  readonly user: User
  readonly callId: string | undefined
  readonly transport: Transport
  /** Everything that came, in order. */
  readonly received: Message[] = []
  /** Resolves when the connection has ended, whoever ended it. */
  readonly closed: Promise<Closing>
  readonly #patienceMs: number
  #resolveClosed: (closing: Closing) => void = () => {}
  #closing: Closing | undefined
  /** Messages before this place were taken, or passed over, by {@link next}. */
  #read = 0
  #wanted: Wanted[] = []
  #ids = 0

  constructor(transport: Transport, user: User, callId: string | undefined, patienceMs: number) {
    this.transport = transport
    this.user = user
    this.callId = callId
    this.#patienceMs = patienceMs
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
  }

  /** Sends a message as the transport carries it. */
  abstract send(message: Message): void
  /** A frame, or an event of its own, with exactly this content. */
  abstract sendText(text: string): void
  abstract sendBinary(bytes: Buffer): void
  /** Says goodbye as a well-behaved client does. */
  abstract close(): void
  /** Is gone without a goodbye. */
  abstract drop(): void

  /**
   * The next message of a type, or that a condition accepts, after those that were taken before; what comes in between
   * is passed over. @throws where none comes in time, or the connection ends
   */
  next(wanted: string | ((message: Message) => boolean), what?: string): Promise<Message> {
    const accepts = typeof wanted === 'string' ? (message: Message) => message.type === wanted : wanted
    const name = what ?? (typeof wanted === 'string' ? wanted : 'a message that the trial describes')
    const index = this.received.findIndex((message, place) => place >= this.#read && accepts(message))
    if (index >= 0) {
      this.#read = index + 1
      return Promise.resolve(this.received[index] as Message)
    }
    return new Promise((resolve, reject) => {
      const fail = (why: string) => {
        this.#wanted = this.#wanted.filter((each) => each !== waiting)
        const came = this.received.slice(this.#read).map((message) => JSON.stringify(message).slice(0, 200))
        reject(
          new Error(
            `${this.transport}: ${name} did not come ${why}; after the last one: ${came.join(', ') || 'nothing'}`,
          ),
        )
      }
      const timer = setTimeout(() => fail(`within ${this.#patienceMs} ms`), this.#patienceMs)
      const waiting: Wanted = {
        accepts,
        found: (message) => {
          clearTimeout(timer)
          resolve(message)
        },
      }
      this.#wanted.push(waiting)
      void this.closed.then((closing) => {
        clearTimeout(timer)
        // Resolved promises stay resolved: this is for those that still wait.
        fail(`before the connection ended (${JSON.stringify(closing)})`)
      })
    })
  }

  all(type: string): Message[] {
    return this.received.filter((message) => message.type === type)
  }

  /** Joins, and returns the two messages that answer it. */
  async join(): Promise<{ joined: Message; status: Message }> {
    this.send(this.message('join-room', { user_id: this.user.id }))
    return this.greeting()
  }

  /** The answer to a `join-room`, or to a handshake with `since`. */
  async greeting(): Promise<{ joined: Message; status: Message }> {
    const joined = await this.next(
      (message) => message.type === 'user-joined' && message.user_id === this.user.id,
      'user-joined in answer to a join',
    )
    return { joined, status: await this.next('call-status') }
  }

  /** A message of this connection's call. */
  message(type: string, fields: object = {}): Message {
    return { type, call_id: this.callId, ...fields }
  }

  offer(to: User, sdp: string, fields: object = {}): Message {
    return this.message('offer', { from: this.user.id, to: to.id, sdp, ...fields })
  }

  answer(to: User, sdp: string, fields: object = {}): Message {
    return this.message('answer', { from: this.user.id, to: to.id, sdp, ...fields })
  }

  candidate(to: User, candidate: string, fields: object = {}): Message {
    const place = { sdp_mid: '0', sdp_m_line_index: 0 }
    return this.message('candidate', { from: this.user.id, to: to.id, candidate, ...place, ...fields })
  }

  /** Sends a message with an `id`, and returns its ack. */
  async sendAndAck(message: Message): Promise<Message> {
    this.#ids += 1
    const id = message.id ?? `trial-${this.#ids}`
    this.send({ ...message, id })
    return this.next(
      (reply) => (reply.type === 'ack' && reply.id === id) || (reply.type === 'error' && reply.ref === id),
      `the ack of ${id}`,
    )
  }

  /** The close code of a raw WebSocket; with Socket.IO, which knows none, that the server has ended it. */
  async assertClosedBy(code: number): Promise<void> {
    const closing = await this.#closingInTime()
    if (this.transport === 'raw WebSocket') assert.equal(closing.code, code, `closed with ${JSON.stringify(closing)}`)
    else assert.match(closing.reason ?? '', /^(io server disconnect|transport close)$/)
  }

  async #closingInTime(): Promise<Closing> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`${this.transport}: the server did not end it`)), this.#patienceMs)
    })
    return Promise.race([this.closed, late]).finally(() => clearTimeout(timer))
  }

  get isOpen(): boolean {
    return this.#closing === undefined
  }

  protected took(message: Message): void {
    this.received.push(message)
    const index = this.#wanted.findIndex((wanted) => wanted.accepts(message))
    if (index < 0) return
    this.#read = this.received.length
    this.#wanted.splice(index, 1)[0]?.found(message)
  }

  protected ended(closing: Closing): void {
    this.#closing ??= closing
    this.#resolveClosed(closing)
  }
}
