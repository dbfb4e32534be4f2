/** Packets for a Socket.IO peer: the event's name and the message's JSON, put together without parsing it again. */
import type { Socket } from 'socket.io'
import type { Transport } from '../peer.ts'

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

  bufferedBytes(): number {
    return 0
  }
}
