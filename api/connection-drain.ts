/**
 * Closes an HTTP server without cutting anybody off and without waiting for anybody idle. Node's own
 * `closeIdleConnections` leaves connections alone that never sent a request, as browsers and proxies open in advance;
 * one of them would hold the shutdown up until its deadline.
 */
import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

export class ConnectionDrain {
  readonly #server: Server
  /** How many requests are under way on each connection. */
  readonly #busy = new Map<Socket, number>()
  #draining = false

  /** Starts to watch the connections of `server`; before it listens. */
  constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket: Socket) => {
      this.#busy.set(socket, 0)
      socket.once('close', () => this.#busy.delete(socket))
    })
    // Ahead of the application, which might have answered by the time a later listener is asked.
    server.prependListener('request', ({ socket }, response) => this.#watch(socket, response))
  }

  /** Takes no new connection, lets every request finish, and resolves when the last connection is closed. */
  close(): Promise<void> {
    this.#draining = true
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      for (const [socket, requests] of this.#busy) if (requests === 0) socket.destroySoon()
    })
  }

  #watch(socket: Socket, response: ServerResponse): void {
    if (this.#draining) response.setHeader('Connection', 'close')
    this.#busy.set(socket, (this.#busy.get(socket) ?? 0) + 1)
    response.once('close', () => {
      const left = (this.#busy.get(socket) ?? 1) - 1
      if (!socket.destroyed) this.#busy.set(socket, left)
      if (this.#draining && left === 0) socket.destroySoon()
    })
  }
}
