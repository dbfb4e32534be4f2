/** The gateway's public HTTP port: who is handed an upgrade, and every connection that is open. */
import { createServer, type Server as HttpServer, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { answerUnreadable, HTTP_OPTIONS } from '../core/platform/unreadable-request.ts'
import { AppError } from '../core/protocol/errors.ts'
import { Arrivals } from './arrivals.ts'
import { refuseRequest, refuseUpgrade } from './http-refusal.ts'
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

/** The server of the public port; Socket.IO adds its own paths. */
export function createPublicServer(): HttpServer {
  const http = createServer({
    ...HTTP_OPTIONS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: HEAD_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: LOOK_MS,
  })
  http.on('request', (request, response) => refuseRequest(request, response, notASocket(request)))
  return http
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
  // Once every other listener for requests is there: Engine.IO takes the place of those before it.
  answerUnreadable(http)
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
