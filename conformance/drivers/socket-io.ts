/** A Socket.IO client: an event is named by the message's type and carries the same object. */
import { io, type Socket } from 'socket.io-client'
import type { User } from '../users.ts'
import { Connection, type Message, type Opening, Refused } from './connection.ts'

interface RefusalData {
  code?: string
  details?: Record<string, unknown>
}

export class SocketIoConnection extends Connection {
  readonly #socket: Socket

  private constructor(origin: string, user: User, opening: Opening, patienceMs: number, byPolling: boolean) {
    super(byPolling ? 'Socket.IO by polling' : 'Socket.IO', user, opening.callId, patienceMs)
    const { callId, since, deviceId, token, ticket, headers } = opening
    this.#socket = io(origin, {
      path: '/socket.io/',
      transports: [byPolling ? 'polling' : 'websocket'],
      upgrade: false,
      forceNew: true,
      reconnection: false,
      timeout: patienceMs,
      query: callId === undefined ? {} : { call_id: callId },
      auth: {
        ...(ticket === undefined ? { token: token ?? user.token } : { ticket }),
        ...(since === undefined ? {} : { since }),
        ...(deviceId === undefined ? {} : { device_id: deviceId }),
      },
      ...(headers === undefined ? {} : { extraHeaders: headers }),
    })
    this.#socket.onAny((event: string, message: unknown) => {
      const isNamed = (message as Message | undefined)?.type === event
      this.took(isNamed ? (message as Message) : { type: `an event ${event} whose payload has another type` })
    })
    this.#socket.on('disconnect', (reason) => this.ended({ reason }))
  }

  /** @throws Refused */
  static open(
    origin: string,
    user: User,
    opening: Opening,
    patienceMs: number,
    byPolling: boolean,
  ): Promise<SocketIoConnection> {
    const connection = new SocketIoConnection(origin, user, opening, patienceMs, byPolling)
    const socket = connection.#socket
    return new Promise((resolve, reject) => {
      socket.once('connect', () => resolve(connection))
      socket.once('connect_error', (error) => {
        socket.close()
        reject(new Refused(undefined, (error as Error & { data?: RefusalData }).data))
      })
    })
  }

  override send(message: Message): void {
    this.#socket.emit(message.type, message)
  }

  /** Sends a message with a callback, and returns what it is called with. */
  call(message: Message): Promise<{ ok: boolean; seq?: string; error?: RefusalData }> {
    return this.#socket.timeout(10_000).emitWithAck(message.type, message)
  }

  override sendText(text: string): void {
    this.#socket.io.engine.write(text)
  }

  override sendBinary(bytes: Buffer): void {
    this.#socket.emit('offer', bytes)
  }

  override close(): void {
    this.#socket.disconnect()
  }

  /** The transport goes, without the packet by which Socket.IO says goodbye. */
  override drop(): void {
    this.#socket.io.engine.transport.close()
    this.#socket.io.engine.close()
    this.ended({ reason: 'dropped by the trial' })
  }
}
