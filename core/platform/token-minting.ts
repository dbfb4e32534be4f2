/** Tokens made with the configured secret, for an operator who wants to try something, and for the demo. */
import jwt from 'jsonwebtoken'
import type { Config } from './config.ts'
import { ConfigError } from './environment.ts'

export interface TokenRequest {
  userId: string
  deviceId?: string
  name?: string
  /** Space separated; `calls:manage` may act for any user over HTTP. */
  scope?: string
  ttlSeconds: number
}

/**
 * A token that the processes of this configuration accept.
 * @throws ConfigError where tokens come from somebody else: a public key or a key set signs nothing
 */
export function mintToken(
  config: Config['tokens'],
  { userId, deviceId, name, scope, ttlSeconds }: TokenRequest,
): string {
  if (config.secret === '')
    throw new ConfigError('JWT_SECRET is not set: tokens are signed by your auth service, ask it for one.')
  const claims = {
    ...(deviceId === undefined ? {} : { device_id: deviceId }),
    ...(name === undefined ? {} : { name }),
    ...(scope === undefined ? {} : { scope }),
  }
  return jwt.sign(claims, config.secret, {
    algorithm: 'HS256',
    subject: userId,
    expiresIn: ttlSeconds,
    ...(config.issuer === '' ? {} : { issuer: config.issuer }),
    ...(config.audience === '' ? {} : { audience: config.audience }),
  })
}
