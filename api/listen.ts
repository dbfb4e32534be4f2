/** Opens the API's two listeners and closes them in order. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { closePlatformLast } from '../core/context.ts'
import { type Readiness, startProbeServer } from '../core/platform/probe-server.ts'
import { answerUnreadable, HTTP_OPTIONS } from '../core/platform/unreadable-request.ts'
import { ConnectionDrain } from './connection-drain.ts'
import { createApiServer } from './server.ts'
import type { ApiServices } from './services.ts'

/** Longer than the edge keeps an idle connection (60 s), so that it never sends a request into one that just closes. */
const KEEP_ALIVE_MS = 75_000
/** For a head, and for a whole request: 64 KiB at 52 kbit/s. The edge sees to the head, but not to the body. */
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 10_000
/** How often Node looks for requests that take longer: by itself every 30 s, within which the edge gives up. */
const LOOK_MS = 1_000
/**
 * The edge asks for readiness every 500 ms and sends nothing more after the first 404; the rest is for a slow check.
 * Until then new requests are served as ever.
 */
const PROBE_PERIOD_MS = 750

/**
 * Serves until shutdown, whose steps are added here: not ready, then finish what is under way, then events, then stores.
 * @throws when a port is taken
 */
export async function listen(services: ApiServices): Promise<{ port: number; metricsPort: number }> {
  const { config, registry, shutdown, log } = services.platform
  let readiness: Readiness = 'ready'
  const server = createServer({ ...HTTP_OPTIONS, connectionsCheckingInterval: LOOK_MS }, createApiServer(services))
  const connections = new ConnectionDrain(server)
  server.keepAliveTimeout = KEEP_ALIVE_MS
  server.requestTimeout = REQUEST_TIMEOUT_MS
  server.headersTimeout = HEADERS_TIMEOUT_MS
  answerUnreadable(server)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(config.http.port, config.http.bindAddress, resolve)
  })
  const probes = await startProbeServer({
    port: config.http.metricsPort,
    bindAddress: config.http.bindAddress,
    registry,
    readiness: () => readiness,
  })
  const { port } = server.address() as AddressInfo
  log.info({ port, metricsPort: probes.port }, 'listening')

  shutdown.add('stop being ready', async () => {
    readiness = 'draining'
    await pause(PROBE_PERIOD_MS)
  })
  shutdown.add('finish requests', () => connections.close())
  shutdown.add('publish events', () => services.calls.close())
  shutdown.add('close probes', () => probes.close())
  closePlatformLast(services.platform)
  return { port, metricsPort: probes.port }
}
