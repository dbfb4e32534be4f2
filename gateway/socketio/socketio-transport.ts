/**
 * Packets for a Socket.IO peer: the event's name and the message's JSON, put together without parsing it again.
 * Where the connection's transport is a WebSocket, the frames of messages go to its TCP socket past the engine, all that
 * a turn has in one write, as with raw peers; the engine writes its own frames whole, so the two never mix within a frame.
 */
import type { Socket } from 'socket.io'
import { FrameQueue, type WriteSchedule } from '../frame-queue.ts'
import type { Transport } from '../peer.ts'
import { encodeTextFrames } from '../text-frames.ts'
import type { EngineSession } from './engine-session.ts'

/** RFC 6455 section 5.5: a control frame carries at most 125 bytes, two of them the close code. */
const MAX_REASON_LENGTH = 120

export class SocketIoTransport implements Transport {
  readonly kind = 'socketio'
  readonly #socket: Socket
  readonly #session: EngineSession
  readonly #queue: FrameQueue

  constructor(socket: Socket, session: EngineSession, schedule: WriteSchedule) {
    this.#socket = socket
    this.#session = session
    this.#queue = new FrameQueue(schedule, (packets) => this.#write(packets))
  }

  /** Socket.IO protocol v5: `2` is EVENT in the main namespace, then a JSON array of the event's name and its payload. */
  send(type: string, json: string): void {
    this.#queue.push(`2["${type}",${json}]`)
  }

  sendLate(type: string, json: string): void {
    this.#queue.pushLate(`2["${type}",${json}]`)
  }

  flush(): void {
    this.#queue.flush()
  }

  /** Engine.IO v4: `4` is a message. What the engine holds back goes first: packets keep their order. */
  #write(packets: string[]): void {
    if (!this.#socket.connected) return
    const { conn } = this.#socket
    // The transport that there is, whatever the client's headers said of it.
    const { tcp, held } = this.#session
    if (tcp !== undefined && conn.readyState === 'open' && held === 0)
      tcp.write(encodeTextFrames(packets.map((packet) => `4${packet}`)))
    else for (const packet of packets) conn.write(packet)
  }

  /** Socket.IO clients see no close code: the message before says why, and the client does not reconnect by itself. */
  close(code: number, reason: string): void {
    this.#queue.flush()
    this.#session.guard?.closeAs(code, reason.slice(0, MAX_REASON_LENGTH))
    this.#socket.disconnect(true)
  }

  /** A client reconnects after a closed transport, never after a disconnect by the server (socket.io 4.8.4, measured). */
  move(code: number, reason: string): void {
    this.#queue.flush()
    this.#session.guard?.closeAs(code, reason.slice(0, MAX_REASON_LENGTH))
    this.#socket.conn.close()
  }

  isBehind(): boolean {
    return this.#session.isBehind(this.#queue.length)
  }

  cut(): void {
    this.#queue.clear()
    this.#session.cut()
  }
}
