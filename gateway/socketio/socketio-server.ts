/** Socket.IO peers: the same checks, the same messages, with the event named by the message's `type`. */
import type { Server as HttpServer } from 'node:http'
import { Server, type Socket } from 'socket.io'
import type { ClusterEvents } from '../../core/protocol/cluster-events.ts'
import { AppError } from '../../core/protocol/errors.ts'
import { type Ack, CLOSE, MAX_FRAME_BYTES } from '../../core/protocol/signaling.ts'
import { FloodGate } from '../flood.ts'
import type { WriteSchedule } from '../frame-queue.ts'
import type { GatewayMetrics } from '../gateway-metrics.ts'
import type { Admission, HandshakeRequest, Handshakes } from '../handshake.ts'
import { HandshakeParameters } from '../handshake-parameters.ts'
import type { PeerLifecycle } from '../peer-lifecycle.ts'
import { notJson, tooLarge } from '../raw/raw-server.ts'
import type { Signaling } from '../signaling.ts'
import { sessionId } from './session-ids.ts'
import { SocketIoTransport } from './socketio-transport.ts'
import { textKeepingParser, textOf } from './text-keeping-parser.ts'

/** A packet up to here is read so that its sender can be told what was wrong; a larger one ends the connection unread. */
const READ_MAX_BYTES = 4 * MAX_FRAME_BYTES
/** A connection that never asks for the namespace is dropped. */
const CONNECT_TIMEOUT_MS = 10_000

/** The two headers that a handshake is judged by. */
interface Headers {
  origin?: string
  authorization?: string
}

interface SocketData {
  admission: Admission
}
type NoEvents = Record<string, never>
export type IoServer = Server<NoEvents, NoEvents, ClusterEvents, SocketData>
type IoSocket = Socket<NoEvents, NoEvents, ClusterEvents, SocketData>

interface SocketIoDeps {
  handshakes: Handshakes
  lifecycle: PeerLifecycle
  signaling: Signaling
  metrics: GatewayMetrics
  schedule: WriteSchedule
  limits: { floodPerSecond: number; floodBurst: number }
}

/** Builds the Socket.IO server on the gateway's HTTP server. Compression is off: SDP is small and CPU is what runs out. */
export function createIoServer(
  http: HttpServer,
  options: { pingIntervalMs: number; pingTimeoutMs: number; corsOrigins: string[] },
): IoServer {
  const io: IoServer = new Server(http, {
    path: '/socket.io/',
    serveClient: false,
    destroyUpgrade: false,
    perMessageDeflate: false,
    httpCompression: false,
    maxHttpBufferSize: READ_MAX_BYTES,
    connectTimeout: CONNECT_TIMEOUT_MS,
    pingInterval: options.pingIntervalMs,
    pingTimeout: options.pingTimeoutMs,
    parser: textKeepingParser,
    cors: { origin: options.corsOrigins.includes('*') ? '*' : options.corsOrigins },
  })
  io.engine.generateId = sessionId
  return io
}

/** Serves Socket.IO peers on `io`. */
export function serveSocketIo(io: IoServer, deps: SocketIoDeps): void {
  io.use(async (socket, next) => {
    try {
      socket.data.admission = await deps.handshakes.admit(readHandshake(socket))
      // A client that gave up meanwhile never reaches `connection`, so nobody else would count it out.
      if (socket.conn.readyState !== 'open') deps.handshakes.giveBack(socket.data.admission)
      next()
    } catch (error) {
      const fault = error instanceof AppError ? error : new AppError('INTERNAL_ERROR')
      deps.metrics.refusals.inc({ code: fault.code, transport: 'socketio' })
      const { code, message, details } = fault
      next(Object.assign(new Error(message), { data: { code, message, ...(details ? { details } : {}) } }))
    }
  })
  io.on('connection', (socket) => serve(socket, deps))
}

function serve(socket: IoSocket, deps: SocketIoDeps): void {
  const { admission } = socket.data
  const gate = new FloodGate(deps.limits, performance.now())
  const since = parametersOf(socket).text('since')
  const peer = deps.lifecycle.open(admission, new SocketIoTransport(socket as unknown as Socket, deps.schedule), since)
  socket.conn.on('packetCreate', (packet) => {
    if (packet.type === 'ping') peer.onPing()
  })
  socket.conn.on('heartbeat', () => deps.lifecycle.ponged(peer))
  releaseRequest(socket)
  socket.onAny((event: string, ...args: unknown[]) => {
    const { signaling } = deps
    const ack = typeof args.at(-1) === 'function' ? (args.pop() as Ack) : undefined
    let text = textOf(args[0])
    const incoming = { value: args[0], text: () => text ?? '', ...(ack === undefined ? {} : { ack: once(ack) }) }
    if (!gate.admit(performance.now()))
      return signaling.refuse(peer, new AppError('RATE_LIMITED'), incoming, CLOSE.POLICY)
    try {
      if (text === undefined && hasBinary(args[0])) return signaling.refuse(peer, notJson(), incoming, CLOSE.NOT_JSON)
      text ??= JSON.stringify(args[0]) ?? ''
    } catch {
      // Nested deeper than the stack: nobody means well with such a message.
      return signaling.refuse(peer, notJson(), incoming, CLOSE.NOT_JSON)
    }
    if (Buffer.byteLength(text) > MAX_FRAME_BYTES) return signaling.refuse(peer, tooLarge(), incoming, CLOSE.TOO_LARGE)
    signaling.receive(peer, { ...incoming, value: named(event, args[0]) })
  })
  socket.on('disconnect', (reason: string) => {
    deps.lifecycle.ended(peer, admission, reason === 'client namespace disconnect')
  })
}

/** A payload whose `type` is not its event's name is malformed, whatever it says. */
function named(event: string, payload: unknown): unknown {
  const type = (payload as { type?: unknown } | null | undefined)?.type
  return type === event ? payload : { ...(payload as object), type: undefined }
}

/** Socket.IO puts bytes wherever they stood in the payload, however deep. */
function hasBinary(payload: unknown): boolean {
  if (Buffer.isBuffer(payload)) return true
  if (typeof payload !== 'object' || payload === null) return false
  return Object.values(payload).some(hasBinary)
}

/**
 * Lets go of the HTTP request, which would live as long as the connection. What a second CONNECT on the same connection
 * needs for its handshake is kept: Socket.IO reads it from here again.
 */
function releaseRequest({ conn }: IoSocket): void {
  const { _query, url, headers } = conn.request as unknown as { _query: unknown; url: string; headers: Headers }
  const { origin, authorization } = headers
  ;(conn as { request: unknown }).request = { _query, url, headers: { origin, authorization }, connection: {} }
}

/** A callback may be called once; a closing fault may want to answer it twice. */
function once(ack: Ack): Ack {
  let called = false
  return (reply) => {
    if (called) return
    called = true
    ack(reply)
  }
}

function readHandshake(socket: IoSocket): HandshakeRequest {
  const said = parametersOf(socket)
  return {
    credential: said.credential,
    // The query first: the edge routes by it.
    callId: said.query('call_id') ?? said.text('call_id'),
    device: said.text('device_id'),
    origin: socket.handshake.headers.origin,
    hasLeft: () => socket.conn.readyState !== 'open',
  }
}

function parametersOf({ handshake: { url, auth, headers } }: IoSocket): HandshakeParameters {
  return new HandshakeParameters({ url, auth, authorization: headers.authorization })
}
