/**
 * The internal listener of each process: liveness, readiness and metrics. Never reachable through the public origin.
 * Liveness touches no dependency: a process that cannot reach Redis or Postgres is alive, and killing it heals nothing.
 */
import { createServer, type Server } from 'node:http'
import { Gauge, type Registry } from 'prom-client'

/** `draining` takes no new work but finishes its own (404 at the edge's check); `unfit` cannot work at all (503). */
export type Readiness = 'ready' | 'draining' | 'unfit'

const READINESS_STATUS: Record<Readiness, number> = { ready: 200, draining: 404, unfit: 503 }

export interface ProbeServer {
  port: number
  close(): Promise<void>
}

/** Starts listening on `port` (0 = any free one). `readiness` is asked anew for every probe and must not block. */
export async function startProbeServer(options: {
  port: number
  bindAddress: string
  registry: Registry
  readiness(): Readiness
}): Promise<ProbeServer> {
  observeReadiness(options.registry, options.readiness)
  const server: Server = createServer(async (request, response) => {
    const path = request.url?.split('?')[0]
    if (path === '/health/live') return void response.writeHead(200).end('alive\n')
    if (path === '/health/ready') {
      const readiness = options.readiness()
      return void response.writeHead(READINESS_STATUS[readiness]).end(`${readiness}\n`)
    }
    if (path !== '/metrics') return void response.writeHead(404).end()
    try {
      const body = await options.registry.metrics()
      response.writeHead(200, { 'content-type': options.registry.contentType }).end(body)
    } catch {
      response.writeHead(500).end()
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.bindAddress, resolve)
  })
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function observeReadiness(registry: Registry, readiness: () => Readiness): void {
  new Gauge({
    name: 'process_readiness',
    help: 'What the readiness probe says: 1 for the present state (ready, draining, unfit), 0 for the others.',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      const present = readiness()
      for (const state of Object.keys(READINESS_STATUS)) this.set({ state }, state === present ? 1 : 0)
    },
  })
}
