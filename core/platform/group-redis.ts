/** One connection to the Redis of each group, for commands. With one group that is the process' own connection and no more. */
import type { CallGroups } from './call-groups.ts'
import type { Logger } from './logger.ts'
import { createRedis, type GuardedRedis } from './redis.ts'

export class GroupRedis {
  readonly #byName: Map<string, GuardedRedis>
  readonly #opened: GuardedRedis[]

  /** `own` is the connection that the process has already, to the Redis of the group `groups.own`. */
  constructor(groups: CallGroups, own: GuardedRedis, log: Logger) {
    this.#byName = new Map([[groups.own.name, own]])
    for (const { name, redisUrl } of groups.all)
      if (name !== groups.own.name)
        this.#byName.set(name, createRedis(redisUrl, 'commands', log, { connectionName: `commands ${name}` }))
    this.#opened = [...this.#byName.values()].filter((redis) => redis !== own)
  }

  /** By the name of a configured group. */
  of(name: string): GuardedRedis {
    const redis = this.#byName.get(name)
    if (redis === undefined) throw new Error(`There is no group ${name}`)
    return redis
  }

  /** Closes what was opened here. */
  disconnect(): void {
    for (const redis of this.#opened) redis.disconnect()
  }
}
