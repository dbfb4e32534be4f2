// Finds TCP ports on the loopback address for processes that must know their port before they start.
import { randomInt } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Below every system's range for outgoing connections (Linux 32768, macOS and Windows 49152), so that a process which
 * is started again on its port never finds it taken by somebody's client socket.
 */
const FIRST_PORT = 15_000
const LAST_PORT = 31_999

/**
 * One file for each reserved port, with the pid of its owner. A process that is down for a moment, to be started again,
 * listens nowhere: another test process must not take its port meanwhile.
 */
const reservations = join(tmpdir(), `tchat-calling-ports-${process.getuid?.() ?? 'user'}`)
const reserved = new Set<number>()

/** A port on loopback that nobody listens on now, reserved for this process until it ends. */
export async function findFreePort(): Promise<number> {
  mkdirSync(reservations, { recursive: true, mode: 0o700 })
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1)
    if (!reserve(port)) continue
    if ((await probePort(port)) === undefined) return port
    release(port)
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

/** Takes the port unless a living process has it. */
function reserve(port: number): boolean {
  const file = fileOf(port)
  const own = join(reservations, `pid-${process.pid}`)
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      // A link appears with its content: others never read the file half written.
      if (reserved.size === 0) writeFileSync(own, String(process.pid))
      linkSync(own, file)
      reserved.add(port)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || isAlive(ownerOf(file))) return false
      rmSync(file, { force: true })
    }
  }
  return false
}

function release(port: number): void {
  reserved.delete(port)
  rmSync(fileOf(port), { force: true })
}

function fileOf(port: number): string {
  return join(reservations, String(port))
}

/** 0 where the file is gone. */
function ownerOf(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch {
    return 0
  }
}

function isAlive(pid: number): boolean {
  if (pid === 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

process.on('exit', () => {
  for (const port of reserved) release(port)
  rmSync(join(reservations, `pid-${process.pid}`), { force: true })
})
