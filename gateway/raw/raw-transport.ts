/**
 * Frames for a raw WebSocket: the message's JSON as it is. Frames of messages go to the TCP socket past `ws`, all that a
 * turn has in one write; without compression `ws` writes its own frames whole, so the two never mix within a frame.
 */
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { FrameQueue, type WriteSchedule } from '../frame-queue.ts'
import type { Transport } from '../peer.ts'
import { encodeTextFrames } from '../text-frames.ts'

/** RFC 6455 section 5.5: a control frame carries at most 125 bytes, two of them the close code. */
const MAX_REASON_LENGTH = 120
/** A client that does not answer the close is cut off, so that an over call is closed within 5 s (decisions, "Signaling"). */
const CLOSE_TIMEOUT_MS = 3000

/** As much as the log keeps of a call: a client this far behind is better off resuming. */
const BEHIND_BYTES = 1024 * 1024

export class RawTransport implements Transport {
  readonly kind = 'raw'
  readonly #ws: WebSocket
  readonly #socket: Duplex
  readonly #queue: FrameQueue

  /** `socket` is the one that `ws` was made of. */
  constructor(ws: WebSocket, socket: Duplex, schedule: WriteSchedule) {
    this.#ws = ws
    this.#socket = socket
    this.#queue = new FrameQueue(schedule, (texts) => {
      if (ws.readyState === ws.OPEN) socket.write(encodeTextFrames(texts))
    })
  }

  send(_type: string, json: string): void {
    this.#queue.push(json)
  }

  sendLate(_type: string, json: string): void {
    this.#queue.pushLate(json)
  }

  flush(): void {
    this.#queue.flush()
  }

  close(code: number, reason: string): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return
    this.#queue.flush()
    this.#ws.close(code, reason.slice(0, MAX_REASON_LENGTH))
    setTimeout(() => this.#ws.terminate(), CLOSE_TIMEOUT_MS).unref()
  }

  move(code: number, reason: string): void {
    this.close(code, reason)
  }

  isBehind(): boolean {
    return this.#socket.writableLength + this.#queue.length > BEHIND_BYTES
  }

  cut(): void {
    this.#queue.clear()
    this.#ws.terminate()
  }
}
