/** Tokens as an auth service mints them, HS256 alone. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { MockClock } from './clock.ts'
import { MockError } from './errors.ts'
import { isUuid } from './ids.ts'

/** Who a token speaks for. */
export interface Identity {
  userId: string
  device: string | undefined
  name: string | undefined
  /** May act for any user over REST. */
  isManager: boolean
  /** Milliseconds since 1970. */
  expiresAtMs: number
}

/** Contract decisions: clocks may differ by this much. */
const TOLERANCE_MS = 5_000
const HOUR_SECONDS = 3_600

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const sign = (secret: string, text: string) => createHmac('sha256', secret).update(text).digest()

/** A token with these claims; it lasts an hour where `exp` is left out. */
export function mintToken(secret: string, clock: MockClock, claims: Record<string, unknown>): string {
  const exp = Math.floor(clock.now() / 1000) + HOUR_SECONDS
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ exp, ...claims })}`
  return `${signed}.${sign(secret, signed).toString('base64url')}`
}

/** @throws UNAUTHORIZED */
export function verifyToken(secret: string, clock: MockClock, token: string | undefined): Identity {
  const refused = (why: string) => new MockError('UNAUTHORIZED', why)
  if (token === undefined || token.trim() === '') throw refused('A token is required')
  const [head, payload, signature, ...more] = token.trim().split('.')
  const [header, claims] = [decode(head), decode(payload)]
  if (header === undefined || claims === undefined || signature === undefined || more.length > 0)
    throw refused('The token cannot be read')
  if (header.alg !== 'HS256' || 'crit' in header || 'zip' in header || header.b64 === false)
    throw refused('The token has an algorithm or extension that is not supported')
  const right = sign(secret, `${head}.${payload}`)
  const given = Buffer.from(signature, 'base64url')
  if (given.length !== right.length || !timingSafeEqual(given, right)) throw refused('The token is not genuine')
  return identityOf(claims, clock)
}

function identityOf(claims: Record<string, unknown>, clock: MockClock): Identity {
  const { sub, exp, nbf, device_id, name, scope } = claims
  const refused = (why: string) => new MockError('UNAUTHORIZED', why)
  if (typeof sub !== 'string' || !isUuid(sub)) throw refused('The token names no user')
  if (typeof exp !== 'number') throw refused('The token has no exp')
  if (exp * 1000 + TOLERANCE_MS <= clock.now()) throw refused('The token has expired')
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf * 1000 - TOLERANCE_MS <= clock.now()))
    throw refused('The token is not valid yet')
  return {
    userId: sub.toLowerCase(),
    device: typeof device_id === 'string' && device_id !== '' ? device_id : undefined,
    name: typeof name === 'string' ? name : undefined,
    isManager: typeof scope === 'string' && scope.split(' ').includes('calls:manage'),
    expiresAtMs: exp * 1000,
  }
}

function decode(part: string | undefined): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? '', 'base64url').toString())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
