/**
 * The groups of a deployment. A group is a Redis and the gateways on it; a call lives in one of them, so that the rate of
 * messages does not end at what one Redis does. Without a word in the configuration there is one group, and nothing of
 * this costs anything.
 */
import { ConfigError, type Environment } from './environment.ts'

export interface CallGroup {
  /** Kept in the rows of calls: it must stay while calls of the group live. */
  name: string
  redisUrl: string
  /** The public origin of the group's gateways; it makes the `signaling_url` of its calls. */
  publicUrl: string
  /** Takes new calls. A group that is to go takes none any more, until its last call is over. */
  isOpen: boolean
}

export interface CallGroups {
  /**
   * The first is where user channels are, what has no group of its own lives, and calls belong whose group is not known
   * (any more).
   */
  first: CallGroup
  all: readonly CallGroup[]
  /** The group of this process, where it is a gateway. */
  own: CallGroup
}

/** The name of the one group where none is configured. */
const ONLY = 'main'

/** @throws ConfigError where the variables contradict each other */
export function callGroups(e: Environment, publicUrl: string, isGateway: boolean): CallGroups {
  if (e.GROUP_REDIS_URLS.length === 0) {
    if (e.GROUP_PUBLIC_URLS.length > 0 || e.GROUP !== '' || e.GROUPS_CLOSED.length > 0)
      throw new ConfigError('GROUP, GROUP_PUBLIC_URLS and GROUPS_CLOSED need GROUP_REDIS_URLS, which names the groups.')
    const only = { name: ONLY, redisUrl: e.REDIS_URL, publicUrl, isOpen: true }
    return { first: only, all: [only], own: only }
  }
  const urls = named(e.GROUP_REDIS_URLS, 'GROUP_REDIS_URLS')
  const origins = named(e.GROUP_PUBLIC_URLS, 'GROUP_PUBLIC_URLS')
  for (const name of [...origins.keys(), ...e.GROUPS_CLOSED, ...(e.GROUP === '' ? [] : [e.GROUP])])
    if (!urls.has(name))
      throw new ConfigError('GROUP, GROUP_PUBLIC_URLS and GROUPS_CLOSED must name groups of GROUP_REDIS_URLS.')
  const all = [...urls].map(([name, redisUrl], index) => {
    const origin = origins.get(name) ?? (index === 0 ? publicUrl : undefined)
    if (origin === undefined)
      throw new ConfigError('GROUP_PUBLIC_URLS must name the origin of every group but the first.')
    return { name, redisUrl, publicUrl: origin.replace(/\/+$/, ''), isOpen: !e.GROUPS_CLOSED.includes(name) }
  })
  const [first] = all
  if (first === undefined || !all.some(({ isOpen }) => isOpen))
    throw new ConfigError('GROUPS_CLOSED must leave a group open.')
  const own = isGateway ? all.find(({ name }) => name === e.GROUP) : undefined
  return { first, all, own: own ?? first }
}

function named(entries: string[], variable: string): Map<string, string> {
  const map = new Map(
    entries.map((entry) => {
      const at = entry.indexOf('=')
      return [entry.slice(0, at), entry.slice(at + 1)] as const
    }),
  )
  if (map.size !== entries.length) throw new ConfigError(`${variable} names a group twice.`)
  return map
}

/** The group of a name out of a call's row; the first where the row is older than groups, or the group is gone. */
export function groupNamed(groups: CallGroups, name: string | null): CallGroup {
  return groups.all.find((group) => group.name === name) ?? groups.first
}
