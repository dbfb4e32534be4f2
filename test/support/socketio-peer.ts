/** A Socket.IO client: event names are message types, each with an optional acknowledgement. */
import { io, type Socket } from 'socket.io-client'
import type { AckReply } from '../../core/protocol/signaling.ts'
import type { AnyMessage, Closing } from './inbox.ts'
import { patient } from './patience.ts'
import { type Fields, Peer, type PeerOptions, Refused } from './peer.ts'

const ACK_DEADLINE_MS = patient(8_000)
const HANDSHAKE_DEADLINE_MS = patient(10_000)

export class SocketIoPeer extends Peer {
  override readonly kind = 'socketio'
  readonly #socket: Socket

  private constructor(options: PeerOptions) {
    super(options, 'Socket.IO')
    const tokenIn = options.tokenIn ?? 'auth'
    this.#socket = io(options.url, {
      path: options.path ?? '/socket.io/',
      forceNew: true,
      reconnection: false,
      timeout: HANDSHAKE_DEADLINE_MS,
      transports: options.transports ?? ['websocket'],
      query: {
        ...(options.callId === undefined ? {} : { call_id: options.callId }),
        ...(tokenIn === 'query' ? { token: options.token } : {}),
        ...(options.ticket === undefined ? {} : { ticket: options.ticket }),
      },
      auth: {
        ...(tokenIn === 'auth' ? { token: options.token } : {}),
        ...(options.since === undefined ? {} : { since: options.since }),
        ...(options.device === undefined ? {} : { device_id: options.device }),
      },
      extraHeaders: {
        ...options.headers,
        ...(tokenIn === 'header' ? { authorization: `Bearer ${options.token}` } : {}),
      },
    })
    this.#socket.onAny((event: string, message: AnyMessage) => {
      if (message?.type !== event) throw new Error(`The event ${event} carries ${JSON.stringify(message)}`)
      this.inbox.push(message)
    })
    this.#socket.on('disconnect', (reason) => this.ended({ code: undefined, reason }))
  }

  override stopReading(): void {
    const { transport } = this.#socket.io.engine as unknown as { transport: { ws: { pause(): void } } }
    transport.ws.pause()
  }

  /** @throws Refused where the server answers with `connect_error` */
  static connect(options: PeerOptions): Promise<SocketIoPeer> {
    const peer = new SocketIoPeer(options)
    return new Promise((resolve, reject) => {
      peer.#socket.once('connect', () => resolve(peer))
      peer.#socket.once('connect_error', (error: Error & { data?: { code?: string } }) => {
        peer.#socket.disconnect()
        peer.ended({ code: undefined, reason: 'refused' })
        reject(new Refused({ message: error.message, code: error.data?.code, data: error.data }))
      })
    })
  }

  /** `websocket` or `polling`. */
  get transport(): string {
    return this.#socket.io.engine.transport.name
  }

  override send(message: Fields): void {
    this.#socket.emit(String(message.type), message)
  }

  /** Any event with any arguments, also such that no client of ours would send. */
  emit(event: string, ...args: unknown[]): void {
    this.#socket.emit(event, ...args)
  }

  /** As {@link emit}, with an acknowledgement callback. */
  ask(event: string, ...args: unknown[]): Promise<AckReply> {
    return this.#socket.timeout(ACK_DEADLINE_MS).emitWithAck(event, ...args)
  }

  override sendAndAck(message: Fields & { id?: string | number }): Promise<AckReply> {
    return this.ask(String(message.type), message)
  }

  override sendRaw(data: string | Buffer): void {
    this.#socket.io.engine.send(data)
  }

  override close(code?: number): Promise<Closing> {
    if (code !== undefined) throw new Error('Socket.IO knows no close codes')
    this.#socket.disconnect()
    return this.closed
  }

  override terminate(): Promise<Closing> {
    // Ending the transport under the client is what a lost network looks like to the server.
    this.#socket.io.engine.close()
    return this.closed
  }
}
