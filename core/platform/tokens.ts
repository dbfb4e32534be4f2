/** Who a token speaks for (decisions, "Authentication and ownership"). A token's text never leaves this file. */
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { AppError } from '../protocol/errors.ts'
import { parseUuid } from '../protocol/ids.ts'
import type { Config } from './config.ts'
import { isDeviceId } from './devices.ts'
import { ConfigError } from './environment.ts'
import { JwksKeys } from './jwks-keys.ts'

export interface Identity {
  userId: string
  /** The token's `device_id`; undefined where it names none. Never its `jti`, which is new with each token. */
  deviceId: string | undefined
  name: string | undefined
  /** May act for any user over HTTP (scope `calls:manage`). */
  manages: boolean
  expiresAt: Date
}

/** Decisions, "Authentication": clocks of issuer and verifier may differ by this much. */
const CLOCK_TOLERANCE_SECONDS = 5

export interface TokenVerifier {
  /** @throws UNAUTHORIZED without a hint at which check failed beyond its sentence; SERVICE_UNAVAILABLE without any key yet. */
  verify(token: string | undefined): Promise<Identity>
}

/**
 * Builds the verifier for the one configured kind of key. The algorithm follows from the key, never from the token:
 * a secret takes HS256 alone, a public key or a key set RS256 and ES256 alone.
 */
export function createTokenVerifier(config: Config['tokens']): TokenVerifier {
  const findKey = keySource(config)
  const algorithms: jwt.Algorithm[] = config.secret !== '' ? ['HS256'] : ['RS256', 'ES256']
  const options = {
    algorithms,
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    ...(config.issuer === '' ? {} : { issuer: config.issuer }),
    ...(config.audience === '' ? {} : { audience: config.audience }),
  }
  return {
    async verify(token) {
      if (token === undefined || token === '') throw new AppError('UNAUTHORIZED', 'A bearer token is required')
      const key = await findKey(token)
      try {
        return identityOf(jwt.verify(token, key, options))
      } catch (error) {
        if (error instanceof AppError) throw error
        throw new AppError('UNAUTHORIZED', sentenceFor(error))
      }
    },
  }
}

function keySource(config: Config['tokens']): (token: string) => Promise<KeyObject> | KeyObject {
  if (config.jwksUrl !== '') {
    const keys = new JwksKeys(config.jwksUrl)
    return (token) => keys.find(keyIdOf(token))
  }
  // Built once: jsonwebtoken.verify costs 7 µs with a key object and 327 µs with a string (measured, Node 20.20).
  const key =
    config.secret !== '' ? createSecretKey(Buffer.from(config.secret, 'utf8')) : readPublicKey(config.publicKey)
  return () => key
}

function readPublicKey(pem: string): KeyObject {
  try {
    return createPublicKey(pem)
  } catch {
    throw new ConfigError('JWT_PUBLIC_KEY must be a public key in PEM form.')
  }
}

/** What is no token at all is refused here: no key set, present or absent, could make it one. */
function keyIdOf(token: string): string | undefined {
  const decoded = decode(token)
  if (decoded === null) throw new AppError('UNAUTHORIZED', 'The token is not valid')
  return decoded.header.kid
}

function decode(token: string): jwt.Jwt | null {
  try {
    return jwt.decode(token, { complete: true })
  } catch {
    return null
  }
}

function identityOf(claims: string | jwt.JwtPayload): Identity {
  if (typeof claims === 'string') throw new AppError('UNAUTHORIZED', 'The token carries no claims')
  const userId = parseUuid(claims.sub)
  if (userId === undefined) throw new AppError('UNAUTHORIZED', 'The token names no user: sub must be a UUID')
  if (typeof claims.exp !== 'number') throw new AppError('UNAUTHORIZED', 'The token must have an expiry (exp)')
  const { device_id: device } = claims
  return {
    userId,
    deviceId: typeof device === 'string' && isDeviceId(device) ? device : undefined,
    name: typeof claims.name === 'string' ? claims.name : undefined,
    manages: typeof claims.scope === 'string' && claims.scope.split(' ').includes('calls:manage'),
    expiresAt: new Date(claims.exp * 1000),
  }
}

function sentenceFor(error: unknown): string {
  if (error instanceof jwt.TokenExpiredError) return 'The token has expired'
  if (error instanceof jwt.NotBeforeError) return 'The token is not valid yet'
  return 'The token is not valid'
}
