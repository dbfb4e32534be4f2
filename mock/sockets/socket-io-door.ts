/** Socket.IO, over WebSocket and by polling. */
import type { Server as HttpServer } from 'node:http'
import { Server, type Socket } from 'socket.io'
import { invalidField, MockError } from '../errors.ts'
import { FrameLimit } from '../limits.ts'
import type { Connection, Message, Wire } from './connections.ts'
import { FRAMES, MAX_MESSAGE_BYTES, PING_INTERVAL_MS } from './raw-door.ts'
import { type Callback, CLOSE, type Handshake, type Signaling } from './signaling.ts'

/** A packet has some bytes beside its message. */
const PACKET_BYTES = MAX_MESSAGE_BYTES + 1024
/** What a client says where it leaves by its own will. */
const CLEAN = ['client namespace disconnect', 'server namespace disconnect']

export class SocketIoDoor {
  readonly #io: Server
  readonly #signaling: Signaling

  constructor(http: HttpServer, signaling: Signaling) {
    this.#signaling = signaling
    this.#io = new Server(http, {
      path: '/socket.io/',
      cors: { origin: true },
      maxHttpBufferSize: PACKET_BYTES,
      serveClient: false,
      pingInterval: PING_INTERVAL_MS,
      pingTimeout: 8_000,
      destroyUpgrade: false,
    })
    const opened = new WeakMap<Socket, (wire: Wire) => Connection>()
    this.#io.use((socket, next) => {
      try {
        opened.set(socket, signaling.admit(handshakeOf(socket)))
        next()
      } catch (error) {
        const refused = error instanceof MockError ? error : new MockError('INTERNAL_ERROR', String(error))
        next(Object.assign(new Error(refused.message), { data: refused.data }))
      }
    })
    this.#io.on('connection', (socket) => {
      const open = opened.get(socket)
      if (open !== undefined) this.#serve(socket, open)
    })
  }

  close(): Promise<void> {
    return this.#io.close()
  }

  #serve(socket: Socket, open: (wire: Wire) => Connection): void {
    const limit = new FrameLimit(...FRAMES)
    const connection = open({
      transport: 'socket.io',
      send: (message) => socket.emit(message.type, message),
      close: (code) => {
        // A client reconnects by itself where the transport goes, and does not where it is disconnected.
        if (code === CLOSE.restarting) socket.conn.close()
        else socket.disconnect(true)
      },
    })
    socket.conn.on('packetCreate', ({ type }: { type: string }) => {
      if (type === 'ping') connection.pinged()
    })
    socket.conn.on('heartbeat', () => connection.ponged())
    socket.onAny((event: string, ...args: unknown[]) => {
      if (!socket.connected) return
      if (!limit.take())
        return this.#signaling.fault(connection, new MockError('RATE_LIMITED', 'Too many messages'), CLOSE.flood)
      this.#receive(connection, event, args)
    })
    socket.on('disconnect', (reason) => this.#signaling.closed(connection, CLEAN.includes(reason) ? 'clean' : 'lost'))
  }

  #receive(connection: Connection, event: string, [payload, callback]: unknown[]): void {
    const answer = typeof callback === 'function' ? (callback as Callback) : undefined
    if (Buffer.isBuffer(payload))
      return this.#signaling.fault(connection, new MockError('INVALID_REQUEST', 'This is no JSON'), CLOSE.notJson)
    const type = (payload as Message | undefined)?.type
    if (type === event) return this.#signaling.receive(connection, payload, answer)
    answer?.({ ok: false, error: invalidField('type', 'is not the name of the event').data })
    if (answer === undefined) this.#signaling.receive(connection, { ...(payload as object), type: 'another event' })
  }
}

function handshakeOf({ handshake }: Socket): Handshake {
  const auth = handshake.auth as Record<string, unknown>
  const of = (name: string) => {
    const value = auth[name] ?? [handshake.query[name]].flat()[0]
    return value === undefined ? undefined : String(value)
  }
  const first = [handshake.query.token].flat()[0]
  const header = /^Bearer\s+(.*)$/i.exec(handshake.headers.authorization ?? '')?.[1]
  return {
    tokens: [typeof auth.token === 'string' ? auth.token : undefined, first, header],
    ticket: of('ticket'),
    callId: [handshake.query.call_id].flat()[0],
    since: of('since'),
    deviceId: of('device_id'),
    transport: 'socket.io',
  }
}
