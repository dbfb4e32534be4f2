// How many commands a Redis has run, by its own count.
import { Redis } from 'ioredis'

/** Since the server's start. */
export interface RedisCounts {
  /** All commands, those inside scripts included. */
  commands: number
  /** Runs of scripts. */
  scripts: number
  /** Messages to other nodes and of control events. */
  publishes: number
}

/** What looks at the counts is not of the product. */
const OURS = /^cmdstat_(info|config)/

export class RedisCommandWatch {
  readonly #redis: Redis

  constructor(port: number) {
    this.#redis = new Redis({ host: '127.0.0.1', port })
  }

  async read(): Promise<RedisCounts> {
    const counts: RedisCounts = { commands: 0, scripts: 0, publishes: 0 }
    for (const [, name = '', calls] of (await this.#redis.info('commandstats')).matchAll(
      /^(cmdstat_\S+?):calls=(\d+)/gm,
    )) {
      if (OURS.test(name)) continue
      counts.commands += Number(calls)
      if (/^cmdstat_(eval|evalsha|fcall)$/.test(name)) counts.scripts += Number(calls)
      if (name === 'cmdstat_publish') counts.publishes += Number(calls)
    }
    return counts
  }

  close(): void {
    this.#redis.disconnect()
  }
}
