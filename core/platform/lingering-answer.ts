/**
 * An early answer that closes the connection while the request's body is still under way. Closed at once, the connection
 * would be reset by the bytes that come, and the reset can take the answer with it (RFC 9112 section 9.6).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'

/** Time for the client to send what it has begun, or to read the answer and stop. */
const LINGER_MS = 2_000
/** So much of it is read and dropped; eight times the largest payload that anybody takes. */
const LINGER_BYTES = 2 * 1024 * 1024

/**
 * Ends an answer whose head has been written, with a `Content-Length` and `Connection: close`. All of the answer leaves
 * at once; the connection closes when the request has ended, after 2 s or after 2 MiB, whichever comes first.
 */
export function endLingering(request: IncomingMessage, response: ServerResponse, body: string): void {
  if (request.complete) return void response.end(body)
  response.write(body)
  let dropped = 0
  const close = () => {
    clearTimeout(timer)
    request.off('data', onData).off('end', close).off('close', close)
    response.end()
  }
  const onData = (chunk: Buffer) => {
    dropped += chunk.length
    if (dropped > LINGER_BYTES) close()
  }
  const timer = setTimeout(close, LINGER_MS).unref()
  request.on('data', onData).on('end', close).on('close', close)
}
