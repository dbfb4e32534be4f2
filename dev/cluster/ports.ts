// Finds TCP ports on the loopback address for processes that must know their port before they start.
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'

/**
 * Below every system's range for outgoing connections (Linux 32768, macOS and Windows 49152), so that a process which
 * is started again on its port never finds it taken by somebody's client socket.
 */
const FIRST_PORT = 15_000
const LAST_PORT = 31_999

/** Ports handed out by this process; two clusters started at once must not get the same one. */
const handedOut = new Set<number>()

/** A port on loopback that nobody listens on now and that this process hands out only once. */
export async function findFreePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1)
    if (handedOut.has(port)) continue
    if ((await probePort(port)) === undefined) {
      handedOut.add(port)
      return port
    }
  }
  throw new Error(`No free port found between ${FIRST_PORT} and ${LAST_PORT}`)
}

/** The loopback addresses of this machine: `localhost` is ::1 for some clients, and some machines have no IPv6. */
export function loopbackAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses.map(({ address }) => address))
  return all.includes('::1') ? ['127.0.0.1', '::1'] : ['127.0.0.1']
}

/** `undefined` if one can listen on this port of every loopback address now, else the system's code (`EADDRINUSE`, `EACCES`). */
export async function probePort(port: number): Promise<string | undefined> {
  for (const address of loopbackAddresses()) {
    const code = await probe(port, address)
    if (code !== undefined) return code
  }
  return undefined
}

function probe(port: number, address: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen(port, address, () => server.close(() => resolve(undefined)))
  })
}
