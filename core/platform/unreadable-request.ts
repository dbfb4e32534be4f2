/**
 * What Node's HTTP server refuses by itself, in the contract's envelope: it would answer with empty bodies.
 *
 * The edge sends here what it does not take for HTTP, each connection behind a line of the PROXY protocol
 * (edge/haproxy.cfg.template). No HTTP parser takes that line for a request, so such a connection is refused and never
 * served, whatever follows.
 */
import { randomUUID } from 'node:crypto'
import { type IncomingMessage, type Server, type ServerOptions, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { AppError, errorBody } from '../protocol/errors.ts'
import { parseUuid } from '../protocol/ids.ts'
import { endLingering } from './lingering-answer.ts'

/** More than the edge takes (64 KiB) and adds: what it lets through is valid, and served. */
const HEAD_MAX_BYTES = 72 * 1024
/** The longest request line that the edge takes, and the longest head (measured with HAProxy 2.6.12, `tune.bufsize 65536`). */
const LINE_MAX_BYTES = 31 * 1024
const EDGE_HEAD_MAX_BYTES = 62 * 1024
/** Time for the rest of what the edge had of a refused connection; it comes in one write as a rule. */
const GATHER_MS = 50
/** Time for a refused client to read the answer and close. */
const LINGER_MS = 2_000

/** For `createServer`. Clients without a Host are HTTP/1.0, or refused by the edge; Node's own answer would be empty. */
export const HTTP_OPTIONS: ServerOptions = { maxHeaderSize: HEAD_MAX_BYTES, requireHostHeader: false }

interface Refusal {
  status: number
  message: string
}

const UNREADABLE: Refusal = { status: 400, message: 'The request cannot be read' }
const TOO_LARGE: Refusal = { status: 431, message: 'The headers are too large' }
const TOO_SLOW: Refusal = { status: 408, message: 'The request took too long to arrive' }
/** Faults that have a status of their own; anything else is a plain 400. */
const REFUSALS: Record<string, Refusal> = { HPE_HEADER_OVERFLOW: TOO_LARGE, ERR_HTTP_REQUEST_TIMEOUT: TOO_SLOW }

/**
 * Has a server answer all that it would answer itself with nothing. To be called once every listener for requests is
 * there, as some replace the listeners that they find.
 */
export function answerUnreadable(server: Server): void {
  const refused = new WeakMap<Duplex, Gathered>()
  const answering = new WeakMap<Duplex, { request: IncomingMessage; response: ServerResponse }>()
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    const latest = { request, response }
    answering.set(socket, latest)
    response.once('close', () => {
      if (answering.get(socket) === latest) answering.delete(socket)
    })
  })
  server.on('clientError', (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket) => {
    // The parser fails again with all that follows.
    const known = refused.get(socket)
    if (known !== undefined) return known.add(error.rawPacket)
    const latest = answering.get(socket)
    // Its body did not come, or cannot be read: its own response is still to be had.
    if (latest !== undefined && error.code !== 'ECONNRESET' && !latest.request.complete && !latest.response.headersSent)
      return respond(latest.response, REFUSALS[error.code ?? ''] ?? UNREADABLE)
    // Within an answer, or a poll that waits for one, a second answer would be taken for the first.
    if (error.code === 'ECONNRESET' || !socket.writable || latest !== undefined) return void socket.destroy()
    const gathered = new Gathered(error.rawPacket)
    refused.set(socket, gathered)
    if (!gathered.isFromEdge()) return answer(socket, REFUSALS[error.code ?? ''] ?? UNREADABLE)
    setTimeout(() => answer(socket, gathered.judge()), GATHER_MS)
  })
  // RFC 9110 section 10.1.1: an expectation that is not met. Node says so without a body.
  server.on('checkExpectation', (_request, response) =>
    respond(response, { status: 417, message: 'Expect must be 100-continue or absent' }),
  )
}

/** Answers a request that could be read as far as its head, and closes the connection. */
function respond(response: ServerResponse, { status, message }: Refusal): void {
  const requestId = parseUuid(response.req.headers['x-request-id']) ?? randomUUID()
  const error = new AppError('INVALID_REQUEST', message, { status })
  const body = JSON.stringify(errorBody(error, requestId))
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(body)),
    'X-Request-Id': requestId,
    Connection: 'close',
  })
  endLingering(response.req, response, body)
}

/** What came on a connection that is being refused, as far as the reason may lie in it. */
class Gathered {
  #bytes: Buffer

  constructor(first: Buffer = Buffer.alloc(0)) {
    this.#bytes = first
  }

  add(more: Buffer = Buffer.alloc(0)): void {
    if (this.#bytes.length < HEAD_MAX_BYTES) this.#bytes = Buffer.concat([this.#bytes, more])
  }

  isFromEdge(): boolean {
    return this.#bytes.toString('latin1', 0, 6) === 'PROXY '
  }

  /** Why the edge did not take it for HTTP: the edge waits for the end of a head for ten seconds, or until it is full. */
  judge(): Refusal {
    const head = this.#bytes.subarray(this.#bytes.indexOf('\r\n') + 2)
    const end = head.indexOf('\r\n\r\n')
    const line = head.indexOf('\r\n')
    if ((line === -1 ? head.length : line) > LINE_MAX_BYTES) return TOO_LARGE
    if ((end === -1 ? head.length : end) > EDGE_HEAD_MAX_BYTES) return TOO_LARGE
    return end === -1 ? TOO_SLOW : UNREADABLE
  }
}

function answer(socket: Duplex, { status, message }: Refusal): void {
  if (!socket.writable) return void socket.destroy()
  const requestId = randomUUID()
  const body = JSON.stringify(errorBody(new AppError('INVALID_REQUEST', message, { status }), requestId))
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Request-Id: ${requestId}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  )
  // At once, it would take the answer with it where more is under way.
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
}
