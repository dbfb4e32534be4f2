/** The gateway's public HTTP port: who is handed an upgrade, and every connection that is open. */
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { AppError } from '../core/protocol/errors.ts'
import { Arrivals } from './arrivals.ts'
import { refuseBytes, refuseRequest, refuseUpgrade } from './http-refusal.ts'
import type { RawServer } from './raw/raw-server.ts'
import type { IoServer } from './socketio/socketio-server.ts'

/**
 * Connections that the kernel holds until they are taken, one in each turn of the event loop: the crowd of a dead node.
 * No more than are taken before their clients lose patience (4 s), else the node would serve nobody but those who left.
 */
const BACKLOG = 1024

/** Longer than the edge keeps an idle connection (60 s): whoever closes first must not be the one without the request. */
const KEEP_ALIVE_MS = 75_000
/** For a request's head, and for all of it: a payload of 256 KiB at 210 kbit/s. Node's own limits are 60 s and 300 s. */
const HEAD_MS = 5_000
const REQUEST_MS = 10_000
/** How often Node looks for requests that take longer. */
const LOOK_MS = 1_000

/** What Node says of bytes that it cannot read as a request, as the status that says so. */
const CLIENT_FAULTS: Record<string, { status: number; message: string }> = {
  HPE_HEADER_OVERFLOW: { status: 431, message: 'The headers are too large' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, message: 'The request took too long to come' },
}
const MALFORMED = { status: 400, message: 'This is no HTTP request' }

/** The server of the public port; Socket.IO adds its own paths. */
export function createPublicServer(): HttpServer {
  const http = createServer({
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: HEAD_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: LOOK_MS,
  })
  http.on('request', (request, response) => refuseRequest(request, response, notASocket(request)))
  http.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
    refuseRequest(request, response, new AppError('INVALID_REQUEST', 'Expect must be 100-continue', { status: 417 })),
  )
  return http
}

/** Must be called once every other listener for requests is there: Engine.IO takes the place of those before it. */
function answerMalformed(http: HttpServer): void {
  const answering = new WeakSet<Duplex>()
  http.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    answering.add(socket)
    response.once('close', () => answering.delete(socket))
  })
  http.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    // Within an answer, or a poll that waits for one, a second answer would be taken for the first.
    if (!socket.writable || answering.has(socket)) return socket.destroy()
    const { status, message } = CLIENT_FAULTS[error.code ?? ''] ?? MALFORMED
    refuseBytes(socket, new AppError('INVALID_REQUEST', message, { status }))
  })
}

/** A raw path asked for without an upgrade is known, but serves WebSockets alone (RFC 9110 section 15.5.22). */
export function notASocket(request: IncomingMessage): AppError {
  if (!request.url?.startsWith('/ws/')) return new AppError('NOT_FOUND')
  return new AppError('INVALID_REQUEST', 'This path serves WebSocket connections', { status: 426 })
}

/**
 * Raw paths are ours, Socket.IO has its own; anything else gets an HTTP answer, where Engine.IO would just hang up. It
 * would also take all that come in the same turn, so it is handed them here.
 */
export function routeUpgrades(
  http: HttpServer,
  raw: RawServer,
  io: IoServer,
  onOneTooMany: (request: IncomingMessage, socket: Duplex) => void,
): void {
  answerMalformed(http)
  const arrivals = new Arrivals()
  const route = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.url?.startsWith('/ws/')) void raw.upgrade(request, socket, head)
    else if (!request.url?.startsWith('/socket.io/')) refuseUpgrade(request, socket, new AppError('NOT_FOUND'))
    else io.engine.handleUpgrade(request, socket, head)
  }
  http.removeAllListeners('upgrade')
  http.on('upgrade', (request, socket: Duplex, head) => {
    const serve = () => route(request, socket, head)
    arrivals.take({ socket, serve, refuse: () => onOneTooMany(request, socket) })
  })
}

/** Resolves with the port, which the system chooses where it is 0. */
export async function listen(http: HttpServer, port: number, bindAddress: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject)
    http.listen({ port, host: bindAddress, backlog: BACKLOG }, resolve)
  })
  const address = http.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

/** Upgraded connections are nobody's business but ours: the HTTP server waits for them for ever, and closes none. */
export function trackSockets(http: HttpServer): Set<Socket> {
  const sockets = new Set<Socket>()
  http.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return sockets
}
