/** Checks the header and the claims of a token (RFC 7515, RFC 7519). Pure; tokens.ts checks the signature. */
import { parseUuid } from '../protocol/ids.ts'
import { CredentialFault } from './credentials.ts'
import { isDeviceId } from './devices.ts'

export interface Identity {
  userId: string
  /** The token's `device_id`; undefined where it names none. Never its `jti`, which is new with each token. */
  deviceId: string | undefined
  name: string | undefined
  /** May act for any user over HTTP (scope `calls:manage`). */
  manages: boolean
  expiresAt: Date
}

/** What decides which key may have signed a token. */
export interface TokenHeader {
  alg: string
  kid: string | undefined
}

/** The latest time that a `Date` holds, in milliseconds (ECMA-262, "Time Values and Time Range"). */
const LATEST_MS = 8.64e15

/**
 * Reads the header of a token in compact form.
 * @throws CredentialFault where it is none, where its algorithm is not among `algorithms`, and where it asks for an
 *   extension: none is supported, and RFC 7515 section 4.1.11 demands a refusal then
 */
export function readTokenHeader(token: string, algorithms: readonly string[]): TokenHeader {
  const header = parseObject(token.slice(0, Math.max(0, token.indexOf('.'))))
  if (header === undefined) throw new CredentialFault('The token is not valid')
  const { alg, kid, b64 = true } = header
  if (typeof alg !== 'string' || !algorithms.includes(alg)) throw new CredentialFault('The token is not valid')
  if ('crit' in header || b64 !== true || 'zip' in header)
    throw new CredentialFault('The token asks for an extension that is not supported (crit, b64 or zip)')
  if (kid !== undefined && typeof kid !== 'string') throw new CredentialFault('The token is not valid')
  return { alg, kid }
}

function parseObject(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/**
 * Who a token with these verified claims speaks for. `exp` may be any number of seconds, also one beyond the calendar;
 * `iat` is not judged, as RFC 7519 gives it no meaning for validity; a `scope` that is no string grants nothing.
 * @throws CredentialFault for claims that are no object, without a UUID as `sub` or without a finite `exp`
 */
export function identityOf(claims: unknown): Identity {
  if (typeof claims !== 'object' || claims === null) throw new CredentialFault('The token carries no claims')
  const { sub, exp, device_id: device, name, scope } = claims as Record<string, unknown>
  const userId = parseUuid(sub)
  if (userId === undefined) throw new CredentialFault('The token names no user: sub must be a UUID')
  if (typeof exp !== 'number' || !Number.isFinite(exp)) throw new CredentialFault('The token must have an expiry (exp)')
  return {
    userId,
    deviceId: typeof device === 'string' && isDeviceId(device) ? device : undefined,
    name: typeof name === 'string' ? name : undefined,
    manages: typeof scope === 'string' && scope.split(' ').includes('calls:manage'),
    expiresAt: new Date(Math.min(exp * 1000, LATEST_MS)),
  }
}
