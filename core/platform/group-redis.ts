/** One connection to the Redis of each group, for commands. With one group that is the process' own connection and no more. */
import type { CallGroup, CallGroups } from './call-groups.ts'
import type { GuardedRedis } from './redis.ts'

export class GroupRedis {
  readonly #byName: Map<string, GuardedRedis>
  readonly #opened: GuardedRedis[]

  /** `own` is the connection that the process has already, to the Redis of `groups.own`; `open` makes each of the others. */
  constructor(groups: CallGroups, own: GuardedRedis, open: (group: CallGroup) => GuardedRedis) {
    this.#byName = new Map(groups.all.map((group) => [group.name, group.name === groups.own.name ? own : open(group)]))
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
