/** The connection over which a user is rung: calls that come in, and what becomes of the user's calls. */
import type {
  CallStatusMessage,
  IncomingCallMessage,
  RingingMessage,
  ServerMessage,
} from '../core/protocol/signaling.ts'
import { asCallingError, type CallingError, errorOfBody } from './errors.ts'
import { OutgoingQueue } from './outgoing-queue.ts'
import type { SocketConstructor, Timer } from './platform.ts'
import { ReconnectingSocket, type SocketEnd, type SocketHost, type Verdict } from './reconnecting-socket.ts'

export interface UserChannelListener {
  opened(): void
  lost(): void
  incoming(message: IncomingCallMessage): void
  status(message: CallStatusMessage): void
  /** The service says that this call must not ring. */
  silenced(callId: string): void
  failed(error: CallingError): void
  ended(end: SocketEnd): void
}

/** A channel that stands for so long is a good one: the next loss is a first one. */
const SETTLED_AFTER_MS = 2_000
/** The service could not write a receipt: it is sent again after so long. */
const SEND_AGAIN_MS = 1_000

export class UserChannel implements SocketHost {
  readonly #socket: ReconnectingSocket
  readonly #address: () => Promise<string>
  readonly #verify: () => Promise<unknown>
  readonly #listener: UserChannelListener
  readonly #receipts = new OutgoingQueue<RingingMessage>()
  #settling: Timer | undefined
  #sendingAgain: Timer | undefined

  /** `verify` is any request that tells whether the token is good. */
  constructor(
    WebSocket: SocketConstructor,
    address: () => Promise<string>,
    verify: () => Promise<unknown>,
    listener: UserChannelListener,
  ) {
    this.#socket = new ReconnectingSocket(WebSocket, this)
    this.#address = address
    this.#verify = verify
    this.#listener = listener
  }

  start(): void {
    this.#socket.start()
  }

  renew(): void {
    this.#socket.renew()
  }

  close(): void {
    this.#stopTimers()
    this.#socket.close()
  }

  /** Tells the caller that this device rings; sent again until the service has it. */
  ringing(callId: string, userId: string): void {
    this.#socket.send(this.#receipts.add({ type: 'ringing', call_id: callId, user_id: userId }))
  }

  address(): Promise<string> {
    return this.#address()
  }

  async ask(): Promise<Verdict> {
    try {
      await this.#verify()
      return {}
    } catch (error) {
      const reason = asCallingError(error, 'NETWORK_ERROR')
      return reason.status === 401 || reason.status === 403 ? { final: reason } : { retryAfterMs: reason.retryAfterMs }
    }
  }

  opened(): void {
    this.#settling = setTimeout(() => this.#socket.settled(), SETTLED_AFTER_MS)
    this.#sendReceipts()
    this.#listener.opened()
  }

  received(text: string): void {
    const message = JSON.parse(text) as ServerMessage
    switch (message.type) {
      case 'incoming-call':
        return this.#listener.incoming(message)
      case 'call-status':
        return this.#listener.status(message)
      case 'ack':
        this.#receipts.settle(message.id)
        return
      case 'error':
        return this.#refused(errorOfBody(message), message.ref)
      default:
    }
  }

  lost(): void {
    this.#stopTimers()
    this.#listener.lost()
  }

  failed(error: CallingError): void {
    this.#listener.failed(error)
  }

  ended(end: SocketEnd): void {
    this.#stopTimers()
    this.#listener.ended(end)
  }

  #refused(error: CallingError, ref: unknown): void {
    if (error.code === 'SERVICE_UNAVAILABLE' && this.#receipts.has(ref)) {
      clearTimeout(this.#sendingAgain)
      this.#sendingAgain = setTimeout(() => this.#sendReceipts(), SEND_AGAIN_MS)
      return
    }
    const receipt = this.#receipts.settle(ref)
    if (receipt === undefined) this.#listener.failed(error)
    else this.#listener.silenced(receipt.call_id)
  }

  #sendReceipts(): void {
    for (const receipt of this.#receipts.unacked) this.#socket.send(receipt)
  }

  #stopTimers(): void {
    clearTimeout(this.#settling)
    clearTimeout(this.#sendingAgain)
  }
}
