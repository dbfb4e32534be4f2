/** The call connection: what the two sides say to each other arrives once and in order, whatever becomes of sockets. */
import type {
  CallStatusMessage,
  ConnectionStateMessage,
  IceServer,
  RelayedMessage,
  ServerMessage,
} from '../core/protocol/signaling.ts'
import { asCallingError, type CallingError, errorOfBody } from './errors.ts'
import { OutgoingQueue } from './outgoing-queue.ts'
import type { SocketConstructor, Timer } from './platform.ts'
import { RecentMessages } from './recent-messages.ts'
import { ReconnectingSocket, type SocketEnd, type SocketHost, type Verdict } from './reconnecting-socket.ts'
import type { RestClient } from './rest-client.ts'

export interface SignalingListener {
  /** In the room, for the first time or again. */
  joined(): void
  lost(): void
  relayed(message: RelayedMessage): void
  status(message: CallStatusMessage): void
  peerPresent(present: boolean): void
  iceServers(servers: IceServer[]): void
  /** A message may be missing, in either direction. */
  incomplete(): void
  /** The other side's peer connection has failed. */
  peerFailed(): void
  failed(error: CallingError): void
  ended(end: SocketEnd): void
}

export interface SignalingOptions {
  WebSocket: SocketConstructor
  rest: Pick<RestClient, 'statusNow'>
  callId: string
  userId: string
  otherId: string
  /** Where to connect, with the token; `since` is added here. @throws CallingError */
  address(): Promise<URL>
}

/** What the application says, without what every message has. */
export type Said = { type: 'offer' | 'answer'; sdp: string } | ({ type: 'candidate' } & Candidate)
export interface Candidate {
  candidate: string
  sdp_mid: string | null
  sdp_m_line_index: number | null
}

/** A join, or a message, that the service could not take is sent again after so long. */
const SEND_AGAIN_MS = 1_000
/** Nothing was heard for so long: the server is asked whether it is there ... */
const QUIET_MS = 15_000
/** ... and given up where it does not answer within the rest. */
const DEAD_MS = 20_000
const WATCH_EVERY_MS = 2_500
/** Refusals of the handshake that no further one will change. */
const FINAL_STATUS = new Set([401, 403, 404])

export class CallSignaling implements SocketHost {
  readonly #options: SignalingOptions
  readonly #listener: SignalingListener
  readonly #socket: ReconnectingSocket
  readonly #queue = new OutgoingQueue<RelayedMessage>()
  readonly #recent = new RecentMessages()
  #since: string | undefined
  #joined = false
  #heardAt = 0
  #sendingAgain: Timer | undefined
  #watch: ReturnType<typeof setInterval> | undefined

  constructor(options: SignalingOptions, listener: SignalingListener) {
    this.#options = options
    this.#listener = listener
    this.#socket = new ReconnectingSocket(options.WebSocket, this)
  }

  start(): void {
    this.#socket.start()
    this.#watch = setInterval(() => this.#look(), WATCH_EVERY_MS)
  }

  /** Connects anew at once, as after a change of network. */
  renew(): void {
    this.#socket.renew()
  }

  /** Leaves the room. Nothing is heard any more. */
  close(): void {
    this.#stop()
    this.#socket.close()
  }

  /** Is delivered once and in order, now or after the next join. */
  say(said: Said): void {
    const { callId, userId, otherId } = this.#options
    const message = this.#queue.add({ call_id: callId, from: userId, to: otherId, ...said } as RelayedMessage)
    if (this.#joined) this.#socket.send(message)
  }

  /** Reports the peer connection; a report that does not get through is not repeated. */
  report(state: ConnectionStateMessage['state'], stats?: Record<string, unknown>): void {
    if (this.#joined) this.#sendOwn({ type: 'connection-state', state, ...(stats === undefined ? {} : { stats }) })
  }

  async address(): Promise<string> {
    const address = await this.#options.address()
    if (this.#since !== undefined) address.searchParams.set('since', this.#since)
    return address.href
  }

  async ask(): Promise<Verdict> {
    try {
      const { status } = await this.#options.rest.statusNow(this.#options.callId)
      if (status !== 'ended' && status !== 'failed') return {}
      return { final: asCallingError('The call is over', 'CALL_ALREADY_ENDED') }
    } catch (error) {
      const reason = asCallingError(error, 'NETWORK_ERROR')
      const { status, retryAfterMs } = reason
      return status !== undefined && FINAL_STATUS.has(status) ? { final: reason } : { retryAfterMs }
    }
  }

  opened(): void {
    this.#heardAt = Date.now()
    // With `since` the service joins by itself.
    if (this.#since === undefined) this.#sendOwn({ type: 'join-room' })
  }

  received(text: string): void {
    this.#heardAt = Date.now()
    const message = JSON.parse(text) as ServerMessage & { seq?: string }
    this.#take(message)
    // The place of a delivered message, whatever its type; an ack has that of a sent one.
    if (message.type !== 'ack' && typeof message.seq === 'string') this.#since = message.seq
  }

  lost(): void {
    this.#joined = false
    clearTimeout(this.#sendingAgain)
    this.#listener.lost()
  }

  failed(error: CallingError): void {
    this.#listener.failed(error)
  }

  ended(end: SocketEnd): void {
    this.#stop()
    this.#listener.ended(end)
  }

  #take(message: ServerMessage): void {
    switch (message.type) {
      case 'user-joined':
      case 'user-left':
        if (message.type === 'user-joined') this.#inRoom()
        return this.#listener.peerPresent(message.participants.includes(this.#options.otherId))
      case 'call-status':
        return this.#listener.status(message)
      case 'offer':
      case 'answer':
      case 'candidate':
        if (this.#recent.isNew(message)) this.#listener.relayed(message)
        return
      case 'ack':
        this.#queue.settle(message.id)
        return
      case 'resumed':
        if (!message.recovered) this.#listener.incomplete()
        return
      case 'ice-servers':
        return this.#listener.iceServers(message.iceServers)
      case 'error':
        return this.#refused(errorOfBody(message), message.ref)
      default:
    }
  }

  /** The first answer to a join on this connection: now everything goes out that waited, and what got no ack again. */
  #inRoom(): void {
    if (this.#joined) return
    this.#joined = true
    this.#socket.settled()
    this.#sendQueue()
    this.#sendOwn({ type: 'ice-servers' })
    this.#listener.joined()
  }

  #refused(error: CallingError, ref: unknown): void {
    if (error.code === 'WEBRTC_CONNECTION_FAILED') return this.#listener.peerFailed()
    // The service will say so by a close, too.
    if (error.code === 'CALL_ALREADY_ENDED') return
    if (error.code === 'SERVICE_UNAVAILABLE') {
      clearTimeout(this.#sendingAgain)
      this.#sendingAgain = setTimeout(() => this.#sendAgain(), SEND_AGAIN_MS)
      return
    }
    // Some of the waiting messages were dropped, so the offer may be missing: negotiate again.
    if (error.code === 'SIGNALING_ERROR' && error.details?.recovered === false) return this.#listener.incomplete()
    this.#queue.settle(ref)
    this.#listener.failed(error)
  }

  #sendAgain(): void {
    if (this.#joined) this.#sendQueue()
    else this.#sendOwn({ type: 'join-room' })
  }

  #sendQueue(): void {
    for (const message of this.#queue.unacked) this.#socket.send(message)
  }

  #sendOwn(message: object): void {
    const { callId, userId } = this.#options
    this.#socket.send({ ...message, call_id: callId, user_id: userId })
  }

  /** A browser does not see pings: a server that is gone without a word is found by a repeated join. */
  #look(): void {
    if (!this.#joined) return
    const quietMs = Date.now() - this.#heardAt
    if (quietMs > DEAD_MS) this.#socket.renew()
    else if (quietMs > QUIET_MS) this.#sendOwn({ type: 'join-room' })
  }

  #stop(): void {
    this.#joined = false
    clearTimeout(this.#sendingAgain)
    clearInterval(this.#watch)
  }
}
