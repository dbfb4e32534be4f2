/**
 * Packets for a Socket.IO peer: the event's name and the message's JSON, put together without parsing it again.
 * Where the connection began as a WebSocket, the frames of messages go to its TCP socket past the engine, all that a
 * turn has in one write, as with raw peers; the engine writes its own frames whole, so the two never mix within a frame.
 */
import type { IncomingMessage } from 'node:http'
import type { Socket as TcpSocket } from 'node:net'
import type { Socket } from 'socket.io'
import { FrameQueue, type WriteSchedule } from '../frame-queue.ts'
import type { Transport } from '../peer.ts'
import { encodeTextFrames } from '../text-frames.ts'

/** Twice what the log keeps of a call: a client this far behind is better off resuming. */
const BEHIND_PACKETS = 512
const BEHIND_BYTES = 1024 * 1024

/** The one thing here that Engine.IO does not publish; test/signaling/slow-consumer.test.ts fails if it changes. */
interface WritesBehind {
  writeBuffer: unknown[]
}

export class SocketIoTransport implements Transport {
  readonly kind = 'socketio'
  readonly #socket: Socket
  readonly #queue: FrameQueue
  /** Undefined where the connection began with polling: which socket it is on then, only the engine knows. */
  readonly #tcp: TcpSocket | undefined

  /** Must be made while the connection still has its HTTP request. */
  constructor(socket: Socket, schedule: WriteSchedule) {
    this.#socket = socket
    this.#tcp = webSocketOf(socket.conn.request)
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
    if (this.#tcp !== undefined && conn.readyState === 'open' && this.#held === 0)
      this.#tcp.write(encodeTextFrames(packets.map((packet) => `4${packet}`)))
    else for (const packet of packets) conn.write(packet)
  }

  /** Packets that the engine keeps back while its transport has not taken the ones before. */
  get #held(): number {
    return (this.#socket.conn as unknown as WritesBehind).writeBuffer.length
  }

  /** Socket.IO knows no close codes: the message before says why, and the client does not reconnect by itself. */
  close(): void {
    this.#queue.flush()
    this.#socket.disconnect(true)
  }

  /** A client reconnects after a closed transport, never after a disconnect by the server (socket.io 4.8.4, measured). */
  move(): void {
    this.#queue.flush()
    this.#socket.conn.close()
  }

  isBehind(): boolean {
    return (this.#tcp?.writableLength ?? 0) + this.#queue.length > BEHIND_BYTES || this.#held > BEHIND_PACKETS
  }

  cut(): void {
    this.#queue.clear()
    this.#socket.conn.close(true)
  }
}

/** The TCP socket of a connection that was asked for as a WebSocket, and so stays on it. */
function webSocketOf({ headers, socket }: IncomingMessage): TcpSocket | undefined {
  return headers.upgrade?.toLowerCase() === 'websocket' ? socket : undefined
}
