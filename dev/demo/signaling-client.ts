// A connection to the signaling service over either transport: the least that a client of the contract needs.
import { io } from 'socket.io-client'
import { WebSocket } from 'ws'
import type { ClientMessage, ServerMessage } from '../../core/protocol/signaling.ts'

export type MessageOf<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>

export interface SignalingClient {
  /** For the reader of the demo. */
  readonly transport: string
  send(message: ClientMessage): void
  /** The oldest message of a type that was not handed out yet. An `error` from the server ends the waiting. */
  next<T extends ServerMessage['type']>(type: T): Promise<MessageOf<T>>
  /** From now on messages of this type go here, those that already came first. */
  on<T extends ServerMessage['type']>(type: T, handle: (message: MessageOf<T>) => void): void
  /** How the connection ended, in words. */
  readonly closed: Promise<string>
  close(): void
}

const HANDSHAKE_DEADLINE_MS = 5_000
const MESSAGE_DEADLINE_MS = 10_000

/** `url` is an origin; the path is the contract's, or the user channel's where there is no call. */
export function connectRaw(url: string, token: string, callId?: string): Promise<SignalingClient> {
  const target = new URL(callId === undefined ? '/ws/events' : `/ws/signaling/${callId}`, url)
  target.protocol = target.protocol.replace('http', 'ws')
  target.searchParams.set('token', token)
  const socket = new WebSocket(target, { handshakeTimeout: HANDSHAKE_DEADLINE_MS })
  const messages = new Messages()
  socket.on('message', (data) => messages.push(JSON.parse(String(data)) as ServerMessage))
  const closed = new Promise<string>((resolve) =>
    socket.on('close', (code, reason) => resolve([code, String(reason)].filter(Boolean).join(' '))),
  )
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => reject(new Error(`The raw WebSocket was refused: ${error.message}`)))
    socket.once('open', () =>
      resolve({
        transport: 'raw WebSocket',
        send: (message) => socket.send(JSON.stringify(message)),
        next: (type) => messages.next(type),
        on: (type, handle) => messages.on(type, handle),
        closed,
        close: () => socket.close(1000),
      }),
    )
  })
}

/** Without a call id it is a user channel. */
export function connectSocketIo(url: string, token: string, callId?: string): Promise<SignalingClient> {
  const socket = io(url, {
    forceNew: true,
    reconnection: false,
    timeout: HANDSHAKE_DEADLINE_MS,
    transports: ['websocket'],
    query: callId === undefined ? {} : { call_id: callId },
    auth: { token },
  })
  const messages = new Messages()
  socket.onAny((_event, message: ServerMessage) => messages.push(message))
  const closed = new Promise<string>((resolve) => socket.on('disconnect', (reason) => resolve(reason)))
  return new Promise((resolve, reject) => {
    socket.once('connect_error', (error) => {
      socket.disconnect()
      reject(new Error(`Socket.IO was refused: ${error.message}`))
    })
    socket.once('connect', () =>
      resolve({
        transport: 'Socket.IO',
        send: (message) => socket.emit(message.type, message),
        next: (type) => messages.next(type),
        on: (type, handle) => messages.on(type, handle),
        closed,
        close: () => socket.disconnect(),
      }),
    )
  })
}

/** What came and was not handed out, and who waits. */
class Messages {
  readonly #waiting: { type: string; resolve(message: ServerMessage): void; reject(error: Error): void }[] = []
  readonly #handlers = new Map<string, (message: ServerMessage) => void>()
  #kept: ServerMessage[] = []

  push(message: ServerMessage): void {
    const handler = this.#handlers.get(message.type)
    if (handler) return handler(message)
    const index = this.#waiting.findIndex((waiter) => waiter.type === message.type || message.type === 'error')
    if (index === -1) this.#kept.push(message)
    else {
      const [waiter] = this.#waiting.splice(index, 1)
      if (message.type === 'error' && waiter?.type !== 'error') waiter?.reject(new Error(message.error.message))
      else waiter?.resolve(message)
    }
  }

  next<T extends ServerMessage['type']>(type: T): Promise<MessageOf<T>> {
    const kept = this.#kept.find((message): message is MessageOf<T> => message.type === type)
    if (kept) {
      this.#kept = this.#kept.filter((message) => message !== kept)
      return Promise.resolve(kept)
    }
    return new Promise<MessageOf<T>>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`No ${type} came within ${MESSAGE_DEADLINE_MS / 1000} s`)),
        MESSAGE_DEADLINE_MS,
      )
      this.#waiting.push({
        type,
        resolve: (message) => {
          clearTimeout(timer)
          resolve(message as MessageOf<T>)
        },
        reject: (error) => {
          clearTimeout(timer)
          reject(error)
        },
      })
    })
  }

  on<T extends ServerMessage['type']>(type: T, handle: (message: MessageOf<T>) => void): void {
    const isOfType = (message: ServerMessage): message is MessageOf<T> => message.type === type
    const early = this.#kept.filter(isOfType)
    this.#kept = this.#kept.filter((message) => !isOfType(message))
    this.#handlers.set(type, handle as (message: ServerMessage) => void)
    for (const message of early) handle(message)
  }
}
