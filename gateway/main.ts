/** The gateway process: `node dist/gateway/main.js`. */
import { CallEvents } from '../core/calls/call-events.ts'
import { CallService } from '../core/calls/call-service.ts'
import { GroupEvents } from '../core/calls/group-events.ts'
import { checkStores, closePlatformLast, createPlatform } from '../core/context.ts'
import { loadConfig } from '../core/platform/config.ts'
import { startProbeServer } from '../core/platform/probe-server.ts'
import { runProcess } from '../core/platform/run-process.ts'
import { GroupRooms } from '../core/rooms/group-rooms.ts'
import { RoomDirectory } from '../core/rooms/room-view.ts'
import { startGateway } from './server.ts'

async function main(): Promise<void> {
  const platform = createPlatform(loadConfig('gateway', process.env))
  await checkStores(platform)
  const { config, db, groupRedis, registry, log, shutdown } = platform
  const { groups } = config
  const { keyPrefix } = config.redis
  const calls = new CallService({
    db,
    config: config.calls,
    groups,
    events: new GroupEvents(groups, (name) => new CallEvents(groupRedis.of(name), keyPrefix)),
    rooms: new GroupRooms(groups, (name) => new RoomDirectory(groupRedis.of(name), keyPrefix, config.nodes.leaseMs)),
    log,
    registry,
  })
  const gateway = await startGateway(platform, calls)
  const probes = await startProbeServer({
    port: config.http.metricsPort,
    bindAddress: config.http.bindAddress,
    registry,
    readiness: () => (gateway.drain.started ? 'draining' : 'ready'),
  })
  // A receipt of ringing is an event that this process has committed.
  shutdown.add('publish events', () => calls.close())
  shutdown.add('close probes', () => probes.close())
  closePlatformLast(platform)
  shutdown.onSignals()
  log.info({ port: gateway.port, metricsPort: probes.port }, 'gateway listening')
}

runProcess(main)
