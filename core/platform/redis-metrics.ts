/** How Redis serves this process: which connections stand, and how long commands take. Labels: our own words, few. */
import { Counter, Gauge, type Registry } from 'prom-client'
import { LeanHistogram } from './lean-histogram.ts'
import type { GuardedRedis, SentCommand } from './redis.ts'
import { scriptName } from './redis-scripts.ts'

/** From a healthy round trip to the longest that anybody waits (2 s). */
const COMMAND_BUCKETS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2]

export class RedisMetrics {
  readonly #watched = new Map<string, GuardedRedis>()
  readonly #durations: LeanHistogram<'command'>
  readonly #failures: Counter<'command'>

  constructor(registry: Registry) {
    const watched = this.#watched
    new Gauge({
      name: 'redis_connection_up',
      help: 'Whether a connection to Redis is usable: 1 or 0.',
      labelNames: ['connection'],
      registers: [registry],
      collect() {
        for (const [connection, redis] of watched) this.set({ connection }, redis.status === 'ready' ? 1 : 0)
      },
    })
    this.#durations = new LeanHistogram({
      name: 'redis_command_seconds',
      help: 'From sending a command or a script to its reply.',
      buckets: COMMAND_BUCKETS_SECONDS,
      labelNames: ['command'],
      registry,
    })
    this.#failures = new Counter({
      name: 'redis_command_failures_total',
      help: 'Commands and scripts that got no reply, or an error.',
      labelNames: ['command'],
      registers: [registry],
    })
  }

  /** Watches a connection under a name of its own. */
  watch(connection: string, redis: GuardedRedis): GuardedRedis {
    this.#watched.set(connection, redis)
    redis.onSent = (command) => this.#sent(command)
    return redis
  }

  #sent({ name, args, promise }: SentCommand): void {
    const sentAt = performance.now()
    const command = name === 'evalsha' || name === 'eval' ? (scriptName(String(args[0])) ?? name) : name
    promise.then(
      () => this.#durations.observe((performance.now() - sentAt) / 1000, command),
      () => this.#failures.inc({ command }),
    )
  }
}
