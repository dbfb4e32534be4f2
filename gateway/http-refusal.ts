/** HTTP answers of the gateway's public port: refused upgrades and paths that are not sockets, in the contract's envelope. */
import { randomUUID } from 'node:crypto'
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { challengeOf } from '../core/platform/credentials.ts'
import { endLingering } from '../core/platform/lingering-answer.ts'
import { AppError, errorBody } from '../core/protocol/errors.ts'
import { parseUuid } from '../core/protocol/ids.ts'

/** How long a refused client should wait where waiting helps. */
const RETRY_AFTER_SECONDS = 1

/** `more` stands in the body beside the envelope. */
function render(
  request: IncomingMessage,
  error: AppError,
  more: object = {},
): { headers: Record<string, string>; body: string } {
  const header = request.headers['x-request-id']
  const requestId = parseUuid(header) ?? randomUUID()
  const body = JSON.stringify({ ...errorBody(error, requestId), ...more })
  const challenge = challengeOf(error)
  return {
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(body)),
      'X-Request-Id': requestId,
      ...(error.status === 503 || error.status === 429 ? { 'Retry-After': String(retryAfterSeconds(error)) } : {}),
      ...(challenge === undefined ? {} : { 'WWW-Authenticate': challenge }),
      ...(error.status === 426 ? { Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' } : {}),
      Connection: 'close',
    },
    body,
  }
}

/** Rounded up: a client that waits so long is let in. */
function retryAfterSeconds({ details }: AppError): number {
  const ms = details?.retry_after_ms
  return typeof ms === 'number' ? Math.ceil(ms / 1000) : RETRY_AFTER_SECONDS
}

/** Answers an upgrade request with an HTTP error: the client never gets a WebSocket. Browsers see only close code 1006. */
export function refuseUpgrade(request: IncomingMessage, socket: Duplex, error: AppError, more?: object): void {
  if (!socket.writable) return
  // Who was refused may reset the connection at any moment, and nobody else listens to it.
  socket.on('error', () => socket.destroy())
  const { headers, body } = render(request, error, more)
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  socket.end(`HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}\r\n${lines.join('\r\n')}\r\n\r\n${body}`)
}

/** What `ws` finds wrong with an upgrade; 426 tells the version that is spoken (RFC 6455 section 4.4). */
export const malformedUpgrade = ({ message }: Error): AppError =>
  new AppError('INVALID_REQUEST', message, { status: message.includes('Version') ? 426 : 400 })

/** Answers a plain HTTP request that no socket path serves. */
export function refuseRequest(
  request: IncomingMessage,
  response: ServerResponse,
  error: AppError,
  more?: object,
): void {
  const { headers, body } = render(request, error, more)
  endLingering(request, response.writeHead(error.status, headers), body)
}
