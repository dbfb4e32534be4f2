/** The worker process: periodic work alone. Its only listener is the internal one for probes and metrics. */
import { checkStores, closePlatformLast, createPlatform } from '../core/context.ts'
import { loadConfig } from '../core/platform/config.ts'
import { startProbeServer } from '../core/platform/probe-server.ts'
import { settled } from '../core/platform/redis.ts'
import { runProcess } from '../core/platform/run-process.ts'
import { createWorker } from './worker.ts'

const REDIS_PATIENCE_MS = 2000

async function main(): Promise<void> {
  const platform = createPlatform(loadConfig('worker', process.env))
  await checkStores(platform)
  const { config, log, redis, registry, shutdown } = platform
  const worker = createWorker(platform)
  // It serves nobody directly, so a store that is away does not make it unfit: it waits and catches up.
  const readiness = () => (worker.running ? 'ready' : 'draining')
  const { metricsPort: port, bindAddress } = config.http
  const probes = await startProbeServer({ port, bindAddress, registry, readiness })
  shutdown.add('stop sweeping', () => worker.stop())
  shutdown.add('close probes', () => probes.close())
  closePlatformLast(platform)
  shutdown.onSignals()
  // The first passes should not fail only because the connection is still being made.
  await settled(redis, REDIS_PATIENCE_MS)
  worker.start()
  log.info({ metricsPort: probes.port }, 'worker started')
}

runProcess(main)
