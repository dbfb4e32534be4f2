/**
 * Which STUN and TURN servers a client may use (additive). TURN credentials follow coturn's `use-auth-secret` (draft
 * "A REST API For Access To TURN Services"): a user name that tells its expiry, and an HMAC over it as the password.
 */
import { createHash, createHmac } from 'node:crypto'
import type { IceServer } from '../protocol/signaling.ts'
import type { Config } from './config.ts'
import type { Identity } from './token-claims.ts'

export interface IceServers {
  iceServers: IceServer[]
  ttl_seconds: number
}

/** A device of any other form is told by its hash: a user name travels in clear, and into the TURN server's log. */
const PLAIN_DEVICE = /^[\w.-]{1,64}$/

/** The servers of the configuration; TURN credentials are good for `turnTtlSeconds` from `now`, at least. The first secret signs. */
export function iceServersFor(
  config: Config['ice'],
  identity: Pick<Identity, 'userId' | 'deviceId'>,
  now: Date,
): IceServers {
  const iceServers: IceServer[] = []
  if (config.stunUrls.length > 0) iceServers.push({ urls: config.stunUrls })
  const [secret] = config.turnSecrets
  if (config.turnUrls.length > 0 && secret !== undefined) {
    const username = usernameFor(identity, Math.ceil(now.getTime() / 1000) + config.turnTtlSeconds)
    // coturn knows no other hash than SHA-1 here.
    const credential = createHmac('sha1', secret).update(username).digest('base64')
    iceServers.push({ urls: config.turnUrls, username, credential })
  }
  return { iceServers, ttl_seconds: config.turnTtlSeconds }
}

/**
 * `<expiry>:<user>` or `<expiry>:<user>:<device>`. coturn counts its `user-quota` by what follows the expiry, so that the
 * device must be the token's own word: a client could name as many as it likes.
 */
function usernameFor({ userId, deviceId }: Pick<Identity, 'userId' | 'deviceId'>, expiresAtSeconds: number): string {
  const user = `${expiresAtSeconds}:${userId}`
  if (deviceId === undefined) return user
  return `${user}:${PLAIN_DEVICE.test(deviceId) ? deviceId : createHash('sha256').update(deviceId).digest('hex').slice(0, 16)}`
}
