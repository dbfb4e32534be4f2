/** Tokens of the demo, signed with the service's own secret. Production has none: loadConfig sees to it. */
import jwt from 'jsonwebtoken'
import type { Config } from './config.ts'

/** Long enough for a day of trying things out, as `make token`. */
const LIFETIME_SECONDS = 86_400

export interface DemoToken {
  token: string
  expiresAt: Date
}

/** A token of this user, without a device: each window that signs in is a device of its own. */
export function mintDemoToken(
  { secret, issuer, audience }: Config['tokens'],
  user: { userId: string; name: string },
  now: Date,
): DemoToken {
  const issuedAt = Math.floor(now.getTime() / 1000)
  const expiresAt = issuedAt + LIFETIME_SECONDS
  const claims = { sub: user.userId, name: user.name, iat: issuedAt, exp: expiresAt }
  const token = jwt.sign(claims, secret, {
    algorithm: 'HS256',
    ...(issuer === '' ? {} : { issuer }),
    ...(audience === '' ? {} : { audience }),
  })
  return { token, expiresAt: new Date(expiresAt * 1000) }
}
