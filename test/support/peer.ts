/**
 * A client of the signaling service as a test sees it, whatever its transport. Written from the contract alone: it
 * shares the product's message types and nothing else.
 */
import type { ErrorBody, ErrorDetails } from '../../core/protocol/errors.ts'
import type { AckReply } from '../../core/protocol/signaling.ts'
import { type AnyMessage, type Closing, Inbox, type MessageOf, type MessageType } from './inbox.ts'

export interface PeerOptions {
  /** `http://…` of a gateway or of the edge. */
  url: string
  userId: string
  /** Left out for a user channel. */
  callId?: string
  /** The other participant, for messages made by {@link Peer.offer} and its like. */
  otherId?: string
  token?: string
  /** Where the token goes: `query` and `header` for both, `auth` for Socket.IO alone. Each transport's first choice. */
  tokenIn?: 'query' | 'header' | 'auth'
  /** A socket ticket, in the query. */
  ticket?: string
  since?: string
  /** The handshake's `device_id`. */
  device?: string
  headers?: Record<string, string>
  /** Of Socket.IO; websocket alone by default. */
  transports?: ('websocket' | 'polling')[]
  /** Of raw clients: false plays dead. */
  answersPings?: boolean
  /** Replaces the raw path, for handshakes that nobody sane would send. */
  path?: string
}

export interface Joined {
  joined: MessageOf<'user-joined'>
  status: MessageOf<'call-status'>
}

/** A handshake that was refused: an HTTP answer to a raw client, `connect_error` to a Socket.IO one. */
export class Refused extends Error {
  override readonly name = 'Refused'
  /** Undefined for Socket.IO. */
  readonly status: number | undefined
  readonly code: string | undefined
  readonly headers: Record<string, string | string[] | undefined>
  /** The whole envelope, for raw clients. */
  readonly body: ErrorBody | undefined
  /** `err.data` of Socket.IO. */
  readonly data: unknown

  constructor(facts: {
    message: string
    status?: number
    code?: string
    headers?: Record<string, string | string[] | undefined>
    body?: ErrorBody
    data?: unknown
  }) {
    super(facts.message)
    this.status = facts.status
    this.code = facts.code
    this.headers = facts.headers ?? {}
    this.body = facts.body
    this.data = facts.data
  }

  /** When the server asks to be tried again, in ms from now; `undefined` where it does not. */
  get retryAfterMs(): number | undefined {
    const { details } = this.body?.error ?? (this.data as { details?: ErrorDetails } | undefined) ?? {}
    return typeof details?.retry_after_ms === 'number' ? details.retry_after_ms : undefined
  }
}

export type Fields = Record<string, unknown>

export abstract class Peer {
  abstract readonly kind: 'raw' | 'socketio'
  readonly userId: string
  readonly callId: string
  readonly otherId: string
  /** Resolves when the connection has ended, whoever ended it. */
  readonly closed: Promise<Closing>
  protected readonly inbox: Inbox
  #resolveClosed: (closing: Closing) => void = () => {}

  /** Plays a client that hangs: nothing is taken from the connection any more. */
  abstract stopReading(): void

  constructor(options: PeerOptions, kind: string) {
    this.userId = options.userId
    this.callId = options.callId ?? ''
    this.otherId = options.otherId ?? ''
    this.inbox = new Inbox(`The ${kind} peer of ${options.userId}`)
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    openPeers.add(this)
  }

  /** Sends an object as the transport carries messages. */
  abstract send(message: Fields): void
  /** A frame (raw) or an Engine.IO message (Socket.IO) with exactly this content. */
  abstract sendRaw(data: string | Buffer): void
  /** Says goodbye as a well-behaved client does, or with a close code of one's own (raw). */
  abstract close(code?: number): Promise<Closing>
  /** Is gone without a goodbye, as a phone in a tunnel. */
  abstract terminate(): Promise<Closing>
  /** Sends a message with an `id` and returns the server's word that it is safe. */
  abstract sendAndAck(message: Fields & { id?: string | number }): Promise<AckReply>

  /** Everything that came, in order. */
  get received(): readonly AnyMessage[] {
    return this.inbox.received
  }

  /** Everything of one type that came, in order. */
  all<T extends MessageType>(type: T): MessageOf<T>[] {
    return this.inbox.received.filter((message): message is MessageOf<T> => message.type === type)
  }

  next<T extends MessageType>(type: T, timeoutMs?: number): Promise<MessageOf<T>>
  next(wanted: (message: AnyMessage) => boolean, timeoutMs?: number): Promise<AnyMessage>
  next(wanted: MessageType | ((message: AnyMessage) => boolean), timeoutMs?: number): Promise<AnyMessage> {
    if (typeof wanted === 'function') return this.inbox.take('message as described', wanted, timeoutMs)
    return this.inbox.take(wanted, (message) => message.type === wanted, timeoutMs)
  }

  /** What came so far is read; the next `next` looks only at what comes from here on. */
  skip(): void {
    this.inbox.skip()
  }

  /** Joins and returns the two messages of which every join is answered. */
  async join(): Promise<Joined> {
    this.skip()
    this.send(this.joinMessage())
    return this.nextGreeting()
  }

  /** The answer to a `join-room`, or the first two messages of a rejoin by `since`. */
  async nextGreeting(): Promise<Joined> {
    const joined = (await this.next(
      (message) => message.type === 'user-joined' && message.user_id === this.userId,
    )) as MessageOf<'user-joined'>
    return { joined, status: await this.next('call-status') }
  }

  leave(): void {
    this.send({ type: 'leave-room', call_id: this.callId, user_id: this.userId })
  }

  joinMessage(): Fields {
    return { type: 'join-room', call_id: this.callId, user_id: this.userId }
  }

  offerMessage(sdp: string, fields: Fields = {}): Fields {
    return { type: 'offer', call_id: this.callId, from: this.userId, to: this.otherId, sdp, ...fields }
  }

  answerMessage(sdp: string, fields: Fields = {}): Fields {
    return { ...this.offerMessage(sdp, fields), type: 'answer' }
  }

  candidateMessage(candidate: string, fields: Fields = {}): Fields {
    const ids = { call_id: this.callId, from: this.userId, to: this.otherId }
    return { type: 'candidate', ...ids, candidate, sdp_mid: '0', sdp_m_line_index: 0, ...fields }
  }

  stateMessage(state: string, fields: Fields = {}): Fields {
    return { type: 'connection-state', call_id: this.callId, user_id: this.userId, state, ...fields }
  }

  /** The one message that a user channel takes. */
  ringingMessage(callId: string, fields: Fields = {}): Fields {
    return { type: 'ringing', call_id: callId, user_id: this.userId, ...fields }
  }

  offer(sdp: string, fields: Fields = {}): void {
    this.send(this.offerMessage(sdp, fields))
  }

  candidate(candidate: string, fields: Fields = {}): void {
    this.send(this.candidateMessage(candidate, fields))
  }

  protected ended(closing: Closing): void {
    openPeers.delete(this)
    this.inbox.close(closing)
    this.#resolveClosed(closing)
  }
}

const openPeers = new Set<Peer>()

/** Ends every connection that a test left open. */
export async function terminateAllPeers(): Promise<void> {
  await Promise.all([...openPeers].map((peer) => peer.terminate()))
}
