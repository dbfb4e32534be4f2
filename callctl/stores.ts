/** The stores a command needs, opened when it asks for them, and what is said where one is away. No address has a password. */
import { Registry } from 'prom-client'
import { CallEvents } from '../core/calls/call-events.ts'
import { CallService } from '../core/calls/call-service.ts'
import { GroupEvents } from '../core/calls/group-events.ts'
import { type CallGroup, groupNamed } from '../core/platform/call-groups.ts'
import type { Config } from '../core/platform/config.ts'
import { GroupRedis } from '../core/platform/group-redis.ts'
import { createLogger, type Logger } from '../core/platform/logger.ts'
import { createDatabase, type Database } from '../core/platform/postgres.ts'
import { createRedis, type GuardedRedis, settled } from '../core/platform/redis.ts'
import { GroupRooms } from '../core/rooms/group-rooms.ts'
import { RoomDirectory } from '../core/rooms/room-view.ts'
import type { Console } from './command.ts'

/** An operator waits so long for a connection to Redis; the client itself tries for 2 s. */
const PATIENCE_MS = 3000

/** A store cannot be reached, or does not let us in. */
export class StoreAway extends Error {
  override readonly name = 'StoreAway'
}

/** A group of gateways whose Redis answers. */
export interface OpenGroup {
  name: string
  redis: GuardedRedis
}

export class Stores {
  readonly config: Config
  /** Says how something that takes long is going. */
  readonly progress: (text: string) => void
  /** Silent: what a command has to say, it says itself. */
  readonly #log: Logger
  #db: Database | undefined
  #own: GuardedRedis | undefined
  #groupRedis: GroupRedis | undefined
  #calls: CallService | undefined
  #away: string[] = []
  /** The last fault of each group's Redis. */
  readonly #faults = new Map<string, string>()

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

  /**
   * The groups whose Redis answers; {@link away} names the others.
   * @throws StoreAway where none does
   */
  async groups(): Promise<OpenGroup[]> {
    const { all } = this.config.groups
    const found = await Promise.all(all.map(({ name }) => this.groupOrNone(name)))
    const open = found.filter((group) => group !== undefined)
    this.#away = all.flatMap(({ name }) => (open.some((group) => group.name === name) ? [] : [name]))
    if (open.length === 0) throw this.#isAway(this.config.groups.first)
    return open
  }

  /** The group of a name out of a call's row. @throws StoreAway where its Redis does not answer */
  async groupOf(name: string | null): Promise<OpenGroup> {
    const group = groupNamed(this.config.groups, name)
    const open = await this.groupOrNone(group.name)
    if (open === undefined) throw this.#isAway(group)
    return open
  }

  /** For commands that have something to say without it. */
  async groupOrNone(name: string | null): Promise<OpenGroup | undefined> {
    const group = groupNamed(this.config.groups, name)
    const redis = this.#redis().of(group.name)
    return (await settled(redis, PATIENCE_MS)) ? { name: group.name, redis } : undefined
  }

  /** Names of groups that {@link groups} could not reach. */
  get away(): readonly string[] {
    return this.#away
  }

  /** The same service that API and workers use: a call ends by the same transition, with the same events. */
  calls(): CallService {
    const { config } = this
    const { keyPrefix } = config.redis
    const redis = this.#redis()
    this.#calls ??= new CallService({
      db: this.db,
      config: config.calls,
      groups: config.groups,
      events: new GroupEvents(config.groups, (name) => new CallEvents(redis.of(name), keyPrefix)),
      rooms: new GroupRooms(
        config.groups,
        (name) => new RoomDirectory(redis.of(name), keyPrefix, config.nodes.leaseMs),
      ),
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
    this.#groupRedis?.disconnect()
    this.#own?.disconnect()
    await this.#db?.destroy()
  }

  #isAway({ name, redisUrl }: CallGroup): StoreAway {
    return new StoreAway(`Redis at ${placeOf(redisUrl)}: ${this.#faults.get(name) ?? 'no answer'}`)
  }

  #redis(): GroupRedis {
    if (this.#groupRedis !== undefined) return this.#groupRedis
    const { groups, redis } = this.config
    this.#own = createRedis(redis, 'commands', this.#log)
    this.#groupRedis = new GroupRedis(groups, this.#own, ({ redisUrl }) =>
      createRedis({ url: redisUrl, ca: redis.ca }, 'commands', this.#log),
    )
    for (const { name } of groups.all)
      this.#groupRedis.of(name).on('error', (error: Error) => this.#faults.set(name, error.message))
    return this.#groupRedis
  }
}

/** Host, port and name, without user and password. */
function placeOf(url: string): string {
  const { host, pathname } = new URL(url)
  return `${host}${pathname === '/' ? '' : pathname}`
}
