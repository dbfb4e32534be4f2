/** A handshake that was refused: why, and when the server wants to be asked again. */
import type { IncomingMessage } from 'node:http'
import type { WebSocket } from 'ws'

export interface Refusal {
  why: string
  retryAfterMs?: number
}

/** The advice of an error envelope, ms: when a client that was refused is to come back. */
export function adviceOf(error: { details?: Record<string, unknown> } | undefined): number | undefined {
  const ms = error?.details?.retry_after_ms
  return typeof ms === 'number' ? ms : undefined
}

/** Reads an HTTP answer to an upgrade, and ends the attempt after it. */
export function onRefusal(socket: WebSocket, refused: (refusal: Refusal) => void): void {
  socket.on('unexpected-response', async (_request, response: IncomingMessage) => {
    refused(await readRefusal(response))
    socket.terminate()
  })
}

/** The envelope says to the millisecond what the header says in seconds, where it says anything. */
async function readRefusal(response: IncomingMessage): Promise<Refusal> {
  const seconds = Number(response.headers['retry-after'])
  let why = String(response.statusCode)
  let ms = Number.isFinite(seconds) ? seconds * 1000 : undefined
  try {
    let text = ''
    for await (const chunk of response) text += chunk
    const { error } = JSON.parse(text)
    why += ` ${error.message}`
    ms = adviceOf(error) ?? ms
  } catch {
    why += ' without an envelope'
  }
  return ms === undefined ? { why } : { why, retryAfterMs: ms }
}
