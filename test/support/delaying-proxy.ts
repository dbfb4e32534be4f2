/**
 * A TCP proxy that holds back each chunk for a random time, each direction of each connection on its own. Between a
 * gateway and Redis it widens every race that a network can bring about, without a hook in the product.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Random } from './randomness.ts'

export interface DelayingProxy {
  readonly port: number
  close(): Promise<void>
}

/** `delayMs` is asked for each chunk; order within a direction is kept, as TCP keeps it. */
export async function startDelayingProxy(targetPort: number, delayMs: () => number): Promise<DelayingProxy> {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1')
    for (const socket of [client, target]) {
      socket.setNoDelay(true)
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    }
    pump(client, target, delayMs)
    pump(target, client, delayMs)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** Half of the chunks pass at once, most others wait some milliseconds, a few of them long. */
export function networkDelays(random: Random): () => number {
  return () => {
    const kind = random()
    if (kind < 0.5) return 0
    return random() * (kind < 0.95 ? 5 : 40)
  }
}

function pump(from: Socket, to: Socket, delayMs: () => number): void {
  /** Chunks on their way. A timer lets the oldest one go, not its own: timers of different lengths may overtake. */
  const chunks: Buffer[] = []
  let freeAt = 0
  let ended = false
  const endIfDone = () => {
    if (ended && chunks.length === 0) to.end()
  }
  from.on('data', (chunk: Buffer) => {
    const now = performance.now()
    freeAt = Math.max(freeAt, now + delayMs())
    chunks.push(chunk)
    setTimeout(() => {
      const oldest = chunks.shift()
      if (oldest && !to.destroyed) to.write(oldest)
      endIfDone()
    }, freeAt - now)
  })
  from.on('close', () => {
    ended = true
    endIfDone()
  })
}
