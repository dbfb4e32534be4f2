/**
 * Everything that the processes share, built once: the whole wiring story. A process hands in its configuration and
 * gets services that are ready to use; it closes them through the shutdown steps that are added here, last in order.
 */
import { Registry } from 'prom-client'
import type { Config } from './platform/config.ts'
import { deploymentWarnings } from './platform/deployment-warnings.ts'
import { ConfigError } from './platform/environment.ts'
import { GroupRedis } from './platform/group-redis.ts'
import { createLogger, type Logger } from './platform/logger.ts'
import { createDatabase, type Database } from './platform/postgres.ts'
import { observePostgres } from './platform/postgres-metrics.ts'
import { observeProcess } from './platform/process-metrics.ts'
import { createRedis, type GuardedRedis, settled } from './platform/redis.ts'
import { RedisMetrics } from './platform/redis-metrics.ts'
import { Shutdown } from './platform/shutdown.ts'
import { tlsFault } from './platform/tls-fault.ts'

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
  /** Takes the further connections that a process opens to Redis. */
  redisMetrics: RedisMetrics
  shutdown: Shutdown
}

/** Opens the connections of one process. Nothing is awaited: a process starts while its stores are still away. */
export function createPlatform(config: Config): Platform {
  const log = createLogger(config)
  for (const warning of deploymentWarnings(config)) log.warn(warning)
  const registry = new Registry()
  registry.setDefaultLabels({ node: config.nodeName })
  observeProcess(registry, config.role)
  const db = createDatabase(config.postgres, `tchat-${config.role}`)
  observePostgres(registry, db)
  const redisMetrics = new RedisMetrics(registry)
  const redis = redisMetrics.watch('commands', createRedis(config.redis, 'commands', log))
  const groupRedis = new GroupRedis(config.groups, redis, ({ name, redisUrl }) =>
    redisMetrics.watch(`commands_${name}`, createRedis({ url: redisUrl, ca: config.redis.ca }, 'commands', log)),
  )
  return {
    config,
    log,
    db,
    redis,
    groupRedis,
    registry,
    redisMetrics,
    shutdown: new Shutdown(config.http.shutdownTimeoutMs, log),
  }
}

/** Longest wait of a start for the first word of a store. */
const FIRST_WORD_MS = 2000

/**
 * Ends a start where a store that is asked for by TLS is not what it should be; one that is merely away does not matter.
 * @throws ConfigError that says what is wrong with its certificate
 */
export async function checkStores({ config, db, redis }: Platform): Promise<void> {
  if (config.postgres.tls !== false)
    await db.raw('SELECT 1').catch((error: Error) => {
      const fault = tlsFault(error)
      if (fault !== undefined) throw new ConfigError(`Postgres at DATABASE_URL is not trusted: ${fault}.`)
    })
  if (!config.redis.url.startsWith('rediss:')) return
  const distrusted = new Promise((resolve) => redis.once('error', resolve))
  if (redis.distrust === undefined) await Promise.race([settled(redis, FIRST_WORD_MS), distrusted])
  if (redis.distrust !== undefined) throw new ConfigError(`Redis is not trusted: ${redis.distrust}.`)
}

/** Adds the closing of the stores as the last steps; call it after every step that still needs them. */
export function closePlatformLast(platform: Platform): void {
  platform.shutdown.add('close redis', () => {
    platform.groupRedis.disconnect()
    platform.redis.disconnect()
  })
  platform.shutdown.add('close postgres', () => platform.db.destroy())
}
