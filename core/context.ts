/**
 * Everything that the processes share, built once: the whole wiring story. A process hands in its configuration and
 * gets services that are ready to use; it closes them through the shutdown steps that are added here, last in order.
 */
import { Registry } from 'prom-client'
import type { Config } from './platform/config.ts'
import { createLogger, type Logger } from './platform/logger.ts'
import { createDatabase, type Database } from './platform/postgres.ts'
import { observePostgres } from './platform/postgres-metrics.ts'
import { observeProcess } from './platform/process-metrics.ts'
import { createRedis, type GuardedRedis } from './platform/redis.ts'
import { RedisMetrics } from './platform/redis-metrics.ts'
import { Shutdown } from './platform/shutdown.ts'

/** The outer parts alone, for a process or a test that wires its own services. */
export interface Platform {
  config: Config
  log: Logger
  db: Database
  /** Commands; fails at once while Redis is away. */
  redis: GuardedRedis
  registry: Registry
  /** Takes the further connections that a process opens to Redis. */
  redisMetrics: RedisMetrics
  shutdown: Shutdown
}

/** Opens the connections of one process. Nothing is awaited: a process starts while its stores are still away. */
export function createPlatform(config: Config): Platform {
  const log = createLogger(config)
  const registry = new Registry()
  registry.setDefaultLabels({ node: config.nodeName })
  observeProcess(registry, config.role)
  const db = createDatabase(config.postgres, `tchat-${config.role}`)
  observePostgres(registry, db)
  const redisMetrics = new RedisMetrics(registry)
  return {
    config,
    log,
    db,
    redis: redisMetrics.watch('commands', createRedis(config.redis.url, 'commands', log)),
    registry,
    redisMetrics,
    shutdown: new Shutdown(config.http.shutdownTimeoutMs, log),
  }
}

/** Adds the closing of the stores as the last steps; call it after every step that still needs them. */
export function closePlatformLast(platform: Platform): void {
  platform.shutdown.add('close redis', () => platform.redis.disconnect())
  platform.shutdown.add('close postgres', () => platform.db.destroy())
}
