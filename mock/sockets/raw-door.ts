/** Raw WebSockets: `/ws/signaling/{call_id}` and `/ws/events`. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { MockClock } from '../clock.ts'
import { envelopeOf, MockError } from '../errors.ts'
import { FrameLimit } from '../limits.ts'
import type { Connection } from './connections.ts'
import { repeatsName } from './read-message.ts'
import { CLOSE, type Signaling } from './signaling.ts'

export const MAX_MESSAGE_BYTES = 64 * 1024
/** Frames of a connection: a second, and at once. */
export const FRAMES: [number, number] = [100, 400]
/** As the service pings. */
export const PING_INTERVAL_MS = 10_000
/** Codes by which a client says goodbye; 1005 is none at all. */
const CLEAN = [1000, 1001, 1005]

export class RawDoor {
  readonly #signaling: Signaling
  readonly #clock: MockClock
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false })

  constructor(signaling: Signaling, clock: MockClock) {
    this.#signaling = signaling
    this.#clock = clock
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    try {
      const url = new URL(request.url ?? '/', 'http://mock')
      const callId = /^\/ws\/signaling\/([^/]+)$/.exec(url.pathname)?.[1]
      if (callId === undefined && url.pathname !== '/ws/events')
        throw new MockError('NOT_FOUND', 'There is nothing at this path')
      const header = /^Bearer\s+(.*)$/i.exec(request.headers.authorization ?? '')?.[1]
      const query = (name: string) => url.searchParams.get(name) ?? undefined
      const open = this.#signaling.admit({
        tokens: [query('token'), header],
        ticket: query('ticket'),
        callId,
        since: query('since'),
        deviceId: query('device_id'),
        transport: 'raw',
      })
      this.#server.handleUpgrade(request, socket, head, (webSocket) => this.#serve(webSocket, open))
    } catch (error) {
      this.#refuse(socket, error)
    }
  }

  #serve(socket: WebSocket, open: ReturnType<Signaling['admit']>): void {
    const limit = new FrameLimit(...FRAMES)
    const connection = open({
      transport: 'raw',
      send: (message) => socket.send(JSON.stringify(message)),
      close: (code) => socket.close(code),
    })
    const isFlood = () => {
      if (limit.take()) return false
      if (socket.readyState === socket.OPEN)
        this.#signaling.fault(connection, new MockError('RATE_LIMITED', 'Too many messages'), CLOSE.flood)
      return true
    }
    const pings = setInterval(() => {
      connection.pinged()
      socket.ping()
    }, PING_INTERVAL_MS).unref()
    socket.on('pong', () => connection.ponged())
    socket.on('ping', isFlood)
    socket.on('message', (data, isBinary) => {
      if (socket.readyState === socket.OPEN && !isFlood()) this.#receive(connection, String(data), isBinary)
    })
    // `ws` closes by itself where a frame is too large or malformed.
    socket.on('error', () => {})
    socket.on('close', (code) => {
      clearInterval(pings)
      this.#signaling.closed(connection, CLEAN.includes(code) ? 'clean' : 'lost')
    })
  }

  #receive(connection: Connection, text: string, isBinary: boolean): void {
    let value: unknown
    try {
      if (isBinary) throw new Error('binary')
      value = JSON.parse(text)
    } catch {
      return this.#signaling.fault(connection, new MockError('INVALID_REQUEST', 'This is no JSON'), CLOSE.notJson)
    }
    // As a message of no type: it is refused, and the connection stays.
    if (repeatsName(text)) return this.#signaling.receive(connection, { type: 'a name twice' })
    this.#signaling.receive(connection, value)
  }

  #refuse(socket: Duplex, error: unknown): void {
    const refused = error instanceof MockError ? error : new MockError('INTERNAL_ERROR', String(error))
    const envelope = envelopeOf(refused, this.#clock)
    const body = JSON.stringify(envelope)
    const wait = refused.status === 503 ? { 'Retry-After': '1' } : {}
    const headers = {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(body)),
      'X-Request-Id': envelope.request_id,
      Connection: 'close',
      ...wait,
      ...refused.headers,
    }
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.end(`HTTP/1.1 ${refused.status} Refused\r\n${lines.join('')}\r\n${body}`)
  }
}
