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
import type { Peer } from '../peer.ts'
import type { PeerLifecycle } from '../peer-lifecycle.ts'
import { FAULTS, notJson, tooLarge } from '../raw/raw-server.ts'
import type { Signaling } from '../signaling.ts'
import { type Engine, EngineWebSockets, limitEngine } from './engine-limits.ts'
import { CONNECT_MAX_BYTES, sessionOf } from './engine-session.ts'
import { sessionId } from './session-ids.ts'
import { SocketIoTransport } from './socketio-transport.ts'
import { textKeepingParser, textOf } from './text-keeping-parser.ts'

/** A payload of several packets by polling, as it is offered to clients. */
const READ_MAX_BYTES = 4 * MAX_FRAME_BYTES
/** A connection that never asks for the namespace is dropped. */
const CONNECT_TIMEOUT_MS = 10_000

/** The two headers that a handshake is judged by. */
interface Headers {
  origin?: string
  authorization?: string
}

/** What of the query is read at a CONNECT. */
const QUERY = ['token', 'ticket', 'call_id', 'device_id', 'since']

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
    wsEngine: EngineWebSockets,
  })
  io.engine.generateId = sessionId
  limitEngine(io.engine as unknown as Engine)
  return io
}

/** Serves Socket.IO peers on `io`. */
export function serveSocketIo(io: IoServer, deps: SocketIoDeps): void {
  io.use(async (socket, next) => {
    const session = sessionOf(socket.conn)
    session?.asks()
    try {
      checkSize(socket.handshake.auth)
      socket.data.admission = await deps.handshakes.admit(readHandshake(socket))
      // A client that gave up meanwhile never reaches `connection`, so nobody else would count it out.
      if (socket.conn.readyState !== 'open') deps.handshakes.giveBack(socket.data.admission)
      next()
    } catch (error) {
      session?.isRefused()
      const fault = error instanceof AppError ? error : new AppError('INTERNAL_ERROR')
      deps.metrics.refusals.inc({ code: fault.code, transport: 'socketio' })
      const { code, message, details } = fault
      next(Object.assign(new Error(message), { data: { code, message, ...(details ? { details } : {}) } }))
    }
  })
  io.on('connection', (socket) => serve(socket, deps))
}

function serve(socket: IoSocket, deps: SocketIoDeps): void {
  const { conn } = socket
  const session = sessionOf(conn)
  if (session === undefined) throw new Error('Every connection has a session from its beginning')
  const { admission } = socket.data
  const since = parametersOf(socket).text('since')
  const transport = new SocketIoTransport(socket as unknown as Socket, session, deps.schedule)
  const peer = deps.lifecycle.open(admission, transport, since)
  session.joined(new FloodGate(deps.limits, performance.now()), (fault) => {
    const { error, code } = FAULTS[fault]
    // Socket.IO hands events on in the next tick: what came before is served before.
    process.nextTick(() => deps.signaling.refuse(peer, error(), undefined, code))
  })
  const onPacket = (packet: { type: string }) => {
    if (packet.type === 'ping') peer.onPing()
  }
  const onHeartbeat = () => deps.lifecycle.ponged(peer)
  conn.on('packetCreate', onPacket).on('heartbeat', onHeartbeat)
  releaseRequest(socket)
  receiveEvents(socket, peer, deps)
  socket.on('disconnect', (reason: string) => {
    // The connection may outlive the namespace, and join it again.
    conn.off('packetCreate', onPacket).off('heartbeat', onHeartbeat)
    if (conn.readyState === 'open') session.left()
    deps.lifecycle.ended(peer, admission, reason === 'client namespace disconnect')
  })
}

function receiveEvents(socket: IoSocket, peer: Peer, deps: SocketIoDeps): void {
  socket.onAny((event: string, ...args: unknown[]) => {
    const { signaling } = deps
    const ack = typeof args.at(-1) === 'function' ? (args.pop() as Ack) : undefined
    let text = textOf(args[0])
    const incoming = {
      value: args[0],
      text: () => text ?? '',
      ...(ack === undefined ? {} : { ack: bounded(ack, peer) }),
    }
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
 * Lets go of the HTTP request and of what CONNECT carried, which would live as long as the connection. What a second
 * CONNECT on the same connection needs for its handshake is kept: Socket.IO reads it from here again.
 */
function releaseRequest(socket: IoSocket): void {
  const { conn } = socket
  const { _query, headers } = conn.request as unknown as { _query: Record<string, unknown>; headers: Headers }
  const { origin, authorization } = headers
  const query = Object.fromEntries(QUERY.flatMap((name) => (name in _query ? [[name, String(_query[name])]] : [])))
  ;(conn as { request: unknown }).request = {
    _query: query,
    url: `/?${new URLSearchParams(query)}`,
    headers: { origin, authorization },
    connection: {},
  }
  Object.assign(socket.handshake, { auth: {}, query: {}, headers: {}, url: '' })
}

/** A callback may be called once; a closing fault may want to answer it twice. It counts as what waits for the client. */
function bounded(ack: Ack, peer: Peer): Ack {
  let called = false
  return (reply) => {
    if (called) return
    called = true
    ack(reply)
    peer.cutIfBehind()
  }
}

/** @throws INVALID_REQUEST where CONNECT carries much beside its token, of which nothing would be read */
function checkSize(auth: Record<string, unknown>): void {
  const { token: _token, ticket: _ticket, ...rest } = auth
  if (Buffer.byteLength(JSON.stringify(rest)) <= CONNECT_MAX_BYTES) return
  throw new AppError('INVALID_REQUEST', `auth may have ${CONNECT_MAX_BYTES} bytes at most beside its token`, {
    details: { field: 'auth' },
  })
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
