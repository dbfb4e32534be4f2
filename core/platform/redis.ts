/**
 * Redis connections that survive anything. Redis holds only what may vanish, so an error here is logged and counted,
 * never thrown into a void: the Socket.IO adapter and emitter drop their promises, and garbage on their channels throws.
 */
import { type RedisOptions as AllRedisOptions, Redis } from 'ioredis'
import type { Logger } from './logger.ts'
import { placeOf, type RedisServer } from './redis-place.ts'
import { tlsFault } from './tls-fault.ts'

/** Without the choice of reply mapping, which changes the types of every reply. */
type RedisOptions = Omit<AllRedisOptions, 'replyMapping'>

/** Longest pause between two attempts to reach Redis again; the cluster is back within seconds of its return. */
const RETRY_MAX_MS = 500

/**
 * What may wait for a Redis that is connected and does not answer: whoever asks gives up after a second or two, but what
 * was written stays until it answers. The bytes are some flushes of the relay at their largest.
 */
const UNANSWERED_MAX = 50_000
const UNWRITTEN_MAX_BYTES = 32 * 1024 * 1024

const MESSAGE_EVENTS = new Set(['message', 'messageBuffer', 'pmessage', 'pmessageBuffer'])

/** A command on its way, for whoever watches. */
export interface SentCommand {
  name: string
  args: unknown[]
  promise: Promise<unknown>
}

/** A Redis client whose lost publishes and misread messages end in the log instead of ending the process. */
export class GuardedRedis extends Redis {
  readonly #log: Logger
  readonly #channels = new Set<string>()
  readonly #patterns = new Set<string>()
  #history = ''
  #distrust: string | undefined
  #isClosed = false
  /** Told of every command that is sent. */
  onSent: ((command: SentCommand) => void) | undefined

  constructor(options: RedisOptions, log: Logger) {
    super({ ...options, autoResubscribe: false })
    this.#log = log
    this.on('ready', () => void this.#subscribeAgain())
    let down = false
    this.on('error', (error) => {
      this.#distrust ??= tlsFault(error)
      // One line for each outage, not one for each attempt.
      if (!down) log.warn({ err: error.message, connection: options.connectionName }, 'redis unreachable')
      down = true
    })
    this.on('ready', () => {
      if (down) log.info({ connection: options.connectionName }, 'redis reachable again')
      down = false
    })
    this.on('end', () => this.#connectAgain())
  }

  /** Closes for good, unless a new connection is asked for. */
  override disconnect(reconnect = false): void {
    if (!reconnect) this.#isClosed = true
    super.disconnect(reconnect)
  }

  /**
   * A client whose sentinels tell of a failover while it asks them where the primary is gives up for ever (ioredis 6.0.0:
   * the detector of the connection before ends the attempt, and no other follows). It must not.
   */
  #connectAgain(): void {
    if (this.#isClosed) return
    setTimeout(() => {
      if (!this.#isClosed && this.status === 'end') this.connect().catch(() => {})
    }, RETRY_MAX_MS)
  }

  /** Why the server was not trusted, where that has happened. */
  get distrust(): string | undefined {
    return this.#distrust
  }

  /**
   * The replication id of the server that this connection leads to, '' where it may not be read. It names a history of
   * data: a replica that is promoted gets a new one, and so does a server that starts again.
   */
  get history(): string {
    return this.#history
  }

  /** Fails at once where too much waits already, as it does while Redis is unreachable. */
  override sendCommand(...args: Parameters<Redis['sendCommand']>): unknown {
    const [command] = args
    // The client asks each new server for it, before anything else may be sent.
    if (command.name === 'info') {
      const { resolve } = command
      command.resolve = (reply) => {
        this.#history = /^master_replid:(\w+)/m.exec(String(reply))?.[1] ?? ''
        resolve(reply)
      }
    }
    this.onSent?.(command as unknown as SentCommand)
    const unwritten = this.stream?.writableLength ?? 0
    if (this.status !== 'ready' || (this.commandQueue.length < UNANSWERED_MAX && unwritten < UNWRITTEN_MAX_BYTES))
      return super.sendCommand(...args)
    command.reject(new Error('redis does not answer, and too much waits for it'))
    return command.promise
  }

  /** The adapter and the emitter publish without a catch: an outage would otherwise be an unhandled rejection. */
  override publish(...args: Parameters<Redis['publish']>): ReturnType<Redis['publish']> {
    const published = super.publish(...args)
    published.catch((error: Error) => this.#log.debug({ err: error.message }, 'publish failed'))
    return published
  }

  // The overloads are many and all alike: names in any nesting, a callback perhaps.
  override subscribe(...args: unknown[]): Promise<unknown> {
    for (const name of namesIn(args)) this.#channels.add(name)
    return caught(super.subscribe(...(args as string[])))
  }

  override psubscribe(...args: unknown[]): Promise<unknown> {
    for (const name of namesIn(args)) this.#patterns.add(name)
    return caught(super.psubscribe(...(args as string[])))
  }

  override unsubscribe(...args: unknown[]): Promise<unknown> {
    for (const name of namesIn(args)) this.#channels.delete(name)
    return caught(super.unsubscribe(...(args as string[])))
  }

  override punsubscribe(...args: unknown[]): Promise<unknown> {
    for (const name of namesIn(args)) this.#patterns.delete(name)
    return caught(super.punsubscribe(...(args as string[])))
  }

  /**
   * Subscribes to everything on each new connection. The client's own way forgets its channels for ever where a
   * connection is cut between its SUBSCRIBE and the reply (ioredis 6.0.0, seen under twelve quick cuts).
   * Emits `resubscribed` when everything is heard again, or for the first time: what was published before that must be
   * read elsewhere.
   */
  async #subscribeAgain(): Promise<void> {
    if (this.#channels.size + this.#patterns.size === 0) return
    try {
      if (this.#channels.size > 0) await super.subscribe(...this.#channels)
      if (this.#patterns.size > 0) await super.psubscribe(...this.#patterns)
      super.emit('resubscribed')
    } catch (error) {
      // The connection is gone already; the next one subscribes anew.
      this.#log.debug({ err: (error as Error).message }, 'not subscribed yet')
    }
  }

  /** A listener that throws on garbage (a foreign publisher on our channel) loses that message only. */
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (!MESSAGE_EVENTS.has(String(event))) return super.emit(event, ...args)
    try {
      return super.emit(event, ...args)
    } catch (error) {
      this.#log.warn({ err: (error as Error).message, channel: String(args[0]) }, 'unreadable message ignored')
      return true
    }
  }
}

function namesIn(args: unknown[]): string[] {
  return args.flat().filter((arg): arg is string => typeof arg === 'string')
}

/** Marks a promise as handled: what its caller drops is repeated on the next connection anyway. */
function caught<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}

export type RedisPurpose = 'commands' | 'publisher' | 'subscriber'

/**
 * Opens a connection of its own for a purpose. Commands fail at once while Redis is away (no offline queue), so that no
 * caller waits for it and memory stays bounded; a subscriber subscribes again by itself after each reconnect.
 * Reading back a lost reply is the caller's business: an unanswered command is not sent again.
 */
export function createRedis(server: RedisServer, purpose: RedisPurpose, log: Logger): GuardedRedis {
  return new GuardedRedis(
    {
      ...placeOf(server),
      connectionName: purpose,
      enableOfflineQueue: purpose === 'subscriber',
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: purpose === 'subscriber' ? null : 0,
      connectTimeout: 2000,
      retryStrategy: (attempt) => Math.min(RETRY_MAX_MS, 50 * attempt),
      // A primary that was made a replica under us: the next connection asks where the new one is.
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
    },
    log,
  )
}

/**
 * Waits for a reply no longer than `timeoutMs`; a command that Redis got may still be carried out.
 * @throws Error `redis did not answer within … ms`
 */
export async function within<T>(timeoutMs: number, reply: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`redis did not answer within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    return await Promise.race([reply, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Resolves once the connection is usable, or after `timeoutMs` without one: a process starts without Redis, too. */
export async function settled(redis: Redis, timeoutMs: number): Promise<boolean> {
  if (redis.status === 'ready') return true
  return new Promise((resolve) => {
    const done = (ready: boolean) => {
      clearTimeout(timer)
      redis.off('ready', onReady)
      resolve(ready)
    }
    const onReady = () => done(true)
    const timer = setTimeout(() => done(false), timeoutMs)
    redis.once('ready', onReady)
  })
}

/**
 * Warns where Redis writes what it holds to a disk: SDP and candidates are to be in memory alone (decisions, "What may
 * be stored"), and a Redis that comes back with older data would repeat numbers. A managed Redis may not let us look.
 */
export async function warnOfPersistence(redis: Redis, log: Logger): Promise<void> {
  try {
    const [[, save], [, appendonly]] = (await Promise.all([
      redis.config('GET', 'save'),
      redis.config('GET', 'appendonly'),
    ])) as [[string, string], [string, string]]
    if (save !== '' || appendonly !== 'no')
      log.warn({ save, appendonly }, 'redis persists what it holds; run it with save "" and appendonly no')
  } catch (error) {
    log.debug({ err: (error as Error).message }, 'persistence of redis not known')
  }
}
