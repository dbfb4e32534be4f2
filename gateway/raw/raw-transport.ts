/** Frames for a raw WebSocket: the message's JSON as it is. */
import type { WebSocket } from 'ws'
import type { Transport } from '../peer.ts'

/** RFC 6455 section 5.5: a control frame carries at most 125 bytes, two of them the close code. */
const MAX_REASON_LENGTH = 120
/** A client that does not answer the close is cut off, so that an over call is closed within 5 s (decisions, "Signaling"). */
const CLOSE_TIMEOUT_MS = 3000

/** As much as the log keeps of a call: a client this far behind is better off resuming. */
const BEHIND_BYTES = 1024 * 1024

export class RawTransport implements Transport {
  readonly kind = 'raw'
  readonly #ws: WebSocket

  constructor(ws: WebSocket) {
    this.#ws = ws
  }

  send(_type: string, json: string): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.send(json)
  }

  close(code: number, reason: string): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return
    this.#ws.close(code, reason.slice(0, MAX_REASON_LENGTH))
    setTimeout(() => this.#ws.terminate(), CLOSE_TIMEOUT_MS).unref()
  }

  move(code: number, reason: string): void {
    this.close(code, reason)
  }

  isBehind(): boolean {
    return this.#ws.bufferedAmount > BEHIND_BYTES
  }

  cut(): void {
    this.#ws.terminate()
  }
}
