/** The stores a command needs, opened when it asks for them, and what is said where one is away. No address has a password. */
import { Registry } from 'prom-client'
import { CallEvents } from '../core/calls/call-events.ts'
import { CallService } from '../core/calls/call-service.ts'
import type { Config } from '../core/platform/config.ts'
import { createLogger, type Logger } from '../core/platform/logger.ts'
import { createDatabase, type Database } from '../core/platform/postgres.ts'
import { createRedis, type GuardedRedis, settled } from '../core/platform/redis.ts'
import { RoomDirectory } from '../core/rooms/room-view.ts'
import type { Console } from './command.ts'

/** An operator waits so long for a connection to Redis; the client itself tries for 2 s. */
const PATIENCE_MS = 3000

/** A store cannot be reached, or does not let us in. */
export class StoreAway extends Error {
  override readonly name = 'StoreAway'
}

export class Stores {
  readonly config: Config
  /** Says how something that takes long is going. */
  readonly progress: (text: string) => void
  /** Silent: what a command has to say, it says itself. */
  readonly #log: Logger
  #db: Database | undefined
  #redis: GuardedRedis | undefined
  #calls: CallService | undefined
  #lastFault = 'no answer'

  constructor(config: Config, to: Console) {
    this.config = config
    this.progress = to.err
    this.#log = createLogger({ ...config, logLevel: 'silent' })
  }

  /** Connects with the first query. */
  get db(): Database {
    this.#db ??= createDatabase({ ...this.config.postgres, poolMax: 4 }, 'tchat-callctl')
    return this.#db
  }

  /** @throws StoreAway where Redis does not answer */
  async redis(): Promise<GuardedRedis> {
    const redis = await this.redisOrNone()
    if (redis === undefined) throw new StoreAway(`Redis at ${placeOf(this.config.redis.url)}: ${this.#lastFault}`)
    return redis
  }

  /** For commands that have something to say without it. */
  async redisOrNone(): Promise<GuardedRedis | undefined> {
    return (await settled(this.#openRedis(), PATIENCE_MS)) ? this.#openRedis() : undefined
  }

  /** The same service that API and workers use: a call ends by the same transition, with the same events. */
  calls(): CallService {
    const { config } = this
    const { keyPrefix } = config.redis
    const redis = this.#openRedis()
    this.#calls ??= new CallService({
      db: this.db,
      config: { ...config.calls, publicUrl: config.http.publicUrl },
      events: new CallEvents(redis, keyPrefix),
      rooms: new RoomDirectory(redis, keyPrefix, config.nodes.leaseMs),
      log: this.#log,
      registry: new Registry(),
    })
    return this.#calls
  }

  /** Where Postgres is, for messages. */
  get postgresPlace(): string {
    return placeOf(this.config.postgres.url)
  }

  async close(): Promise<void> {
    await this.#calls?.close()
    this.#redis?.disconnect()
    await this.#db?.destroy()
  }

  #openRedis(): GuardedRedis {
    if (this.#redis === undefined) {
      this.#redis = createRedis(this.config.redis, 'commands', this.#log)
      this.#redis.on('error', (error: Error) => {
        this.#lastFault = error.message
      })
    }
    return this.#redis
  }
}

/** Host, port and name, without user and password. */
function placeOf(url: string): string {
  const { host, pathname } = new URL(url)
  return `${host}${pathname === '/' ? '' : pathname}`
}
