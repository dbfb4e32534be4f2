/** Where Redis is: at an address, or wherever its sentinels say that the primary is now. */
import { isIP } from 'node:net'
import type { RedisOptions } from 'ioredis'

export interface RedisServer {
  /** `redis://` or, with TLS, `rediss://`; user, password and database stand in it. */
  url: string
  /** PEM of the authority that vouches for servers and sentinels; the well-known ones where it is left out. */
  ca?: string
  /** Asked for the primary's address, which the URL does not give then. */
  sentinel?: { places: { host: string; port: number }[]; name: string; password: string }
}

/** Pause before a sentinel that hung up is asked again to tell of failovers. */
const SENTINEL_RETRY_MS = 1000
/** A sentinel that does not answer must not hold up the question to the next one. */
const SENTINEL_TIMEOUT_MS = 1000

/** The client's options for a place. */
export function placeOf({ url, ca, sentinel }: RedisServer): Omit<RedisOptions, 'replyMapping'> {
  const { protocol, hostname, port, username, password, pathname } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  const tls = protocol === 'rediss:' ? { ...(ca === undefined ? {} : { ca }) } : undefined
  const account = {
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    db: Number(pathname.slice(1) || 0),
  }
  if (sentinel === undefined) {
    const named = tls && isIP(host) === 0 ? { ...tls, servername: host } : tls
    return { ...account, host, port: Number(port || 6379), ...(named ? { tls: named } : {}) }
  }
  return {
    ...account,
    sentinels: sentinel.places,
    name: sentinel.name,
    ...(sentinel.password === '' ? {} : { sentinelPassword: sentinel.password }),
    ...(tls ? { tls, sentinelTLS: tls, enableTLSForSentinelMode: true } : {}),
    // A primary that hangs keeps its connections: only the sentinels tell that it is not the primary any more.
    failoverDetector: true,
    sentinelReconnectStrategy: () => SENTINEL_RETRY_MS,
    sentinelCommandTimeout: SENTINEL_TIMEOUT_MS,
    sentinelRetryStrategy: (attempt) => Math.min(500, 50 * attempt),
  }
}
