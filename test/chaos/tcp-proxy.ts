/** A TCP proxy in front of a server that a test may make slow or cut off. */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { findFreePort } from '../../dev/cluster/ports.ts'

/** What is held back for longer than the test lasts must not hold the run. */
const pauseUnheld = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms).unref())

export class TcpProxy {
  readonly port: number
  /** Each chunk waits so long, in either direction. */
  delayMs = 0
  /** So many more connections end at the moment when they ask for a subscription, before the server hears of it. */
  subscriptionsToCut = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(port: number, target: number) {
    this.port = port
    this.#server = createServer((client) => {
      const server = connect(target, '127.0.0.1')
      this.#join(client, server)
      this.#join(server, client)
    })
  }

  static async start(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(await findFreePort(), target)
    await new Promise<void>((resolve) => proxy.#server.listen(proxy.port, '127.0.0.1', resolve))
    return proxy
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from)
    from.setNoDelay(true)
    // In order, also while the delay changes: nothing overtakes what waits.
    let last = Promise.resolve()
    from.on('data', (chunk) => {
      if (this.subscriptionsToCut > 0 && /\r\np?subscribe\r\n/.test(chunk.toString('latin1'))) {
        this.subscriptionsToCut -= 1
        from.destroy()
        return
      }
      const waited = this.delayMs > 0 ? pauseUnheld(this.delayMs) : undefined
      last = last.then(async () => {
        await waited
        if (to.writable) to.write(chunk)
      })
    })
    from.on('error', () => to.destroy())
    from.on('close', () => {
      this.#sockets.delete(from)
      to.destroy()
    })
  }

  /** Ends every connection; new ones are taken. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async stop(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
