/**
 * Everything that the processes share, built once: the whole wiring story. A process hands in its configuration and
 * gets services that are ready to use; it closes them through the shutdown steps that are added here, last in order.
 */
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { Config } from './platform/config.ts'
import { GroupRedis } from './platform/group-redis.ts'
import { createLogger, type Logger } from './platform/logger.ts'
import { createDatabase, type Database } from './platform/postgres.ts'
import { createRedis, type GuardedRedis } from './platform/redis.ts'
import { Shutdown } from './platform/shutdown.ts'

/** The outer parts alone, for a process or a test that wires its own services. */
export interface Platform {
  config: Config
  log: Logger
  db: Database
  /** Commands to this process' own Redis; fails at once while it is away. */
  redis: GuardedRedis
  /** The same for each group; `redis` is one of them. */
  groupRedis: GroupRedis
  registry: Registry
  shutdown: Shutdown
}

/** Opens the connections of one process. Nothing is awaited: a process starts while its stores are still away. */
export function createPlatform(config: Config): Platform {
  const log = createLogger(config)
  const registry = new Registry()
  registry.setDefaultLabels({ node: config.nodeName })
  collectDefaultMetrics({ register: registry })
  const redis = createRedis(config.redis.url, 'commands', log)
  return {
    config,
    log,
    db: createDatabase(config.postgres, `tchat-${config.role}`),
    redis,
    groupRedis: new GroupRedis(config.groups, redis, log),
    registry,
    shutdown: new Shutdown(config.http.shutdownTimeoutMs, log),
  }
}

/** Adds the closing of the stores as the last steps; call it after every step that still needs them. */
export function closePlatformLast(platform: Platform): void {
  platform.shutdown.add('close redis', () => {
    platform.groupRedis.disconnect()
    platform.redis.disconnect()
  })
  platform.shutdown.add('close postgres', () => platform.db.destroy())
}
