/** Packets for a Socket.IO peer: the event's name and the message's JSON, put together without parsing it again. */
import type { Socket } from 'socket.io'
import type { Transport } from '../peer.ts'

/** Twice what the log keeps of a call: a client this far behind is better off resuming. */
const BEHIND_PACKETS = 512

/** The one thing here that Engine.IO does not publish; test/signaling/slow-consumer.test.ts fails if it changes. */
interface WritesBehind {
  writeBuffer: unknown[]
}

export class SocketIoTransport implements Transport {
  readonly kind = 'socketio'
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /**
   * Socket.IO protocol v5: `2` is EVENT in the main namespace, then a JSON array of the event's name and its payload.
   * Written to the Engine.IO connection, whose `write` is public and which keeps the order during a transport upgrade.
   */
  send(type: string, json: string): void {
    if (this.#socket.connected) this.#socket.conn.write(`2["${type}",${json}]`)
  }

  /** Socket.IO knows no close codes: the message before says why, and the client does not reconnect by itself. */
  close(): void {
    this.#socket.disconnect(true)
  }

  /** A client reconnects after a closed transport, never after a disconnect by the server (socket.io 4.8.4, measured). */
  move(): void {
    this.#socket.conn.close()
  }

  /** Engine.IO keeps packets back while its transport has not taken the ones before. */
  isBehind(): boolean {
    return (this.#socket.conn as unknown as WritesBehind).writeBuffer.length > BEHIND_PACKETS
  }

  cut(): void {
    this.#socket.conn.close(true)
  }
}
