/** The keys of a JSON Web Key Set (RFC 7517) that may verify our tokens. Pure. */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'

export interface VerificationKey {
  /** Undefined where the set does not name it. */
  kid: string | undefined
  /** The one algorithm that the key may verify. */
  alg: 'RS256' | 'ES256'
  key: KeyObject
}

type Jwk = JsonWebKey & { kid?: unknown; use?: unknown; alg?: unknown; key_ops?: unknown }

/** Leaves out every entry that is of another use, type or algorithm, or unreadable: it must not make the others unusable. */
export function readKeySet(set: unknown): VerificationKey[] {
  const entries = (set as { keys?: unknown } | null)?.keys
  return Array.isArray(entries) ? entries.flatMap((entry) => readKey(entry) ?? []) : []
}

function readKey(entry: unknown): VerificationKey | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined
  const jwk = entry as Jwk
  const alg = algorithmOf(jwk)
  if (alg === undefined || !isForVerifying(jwk)) return undefined
  try {
    return {
      kid: typeof jwk.kid === 'string' ? jwk.kid : undefined,
      alg,
      key: createPublicKey({ key: jwk, format: 'jwk' }),
    }
  } catch {
    return undefined
  }
}

/** RFC 7518 section 3.1. Symmetric keys in a public set would be an algorithm confusion waiting to happen. */
function algorithmOf({ kty, crv, alg }: Jwk): VerificationKey['alg'] | undefined {
  const own = kty === 'RSA' ? 'RS256' : kty === 'EC' && crv === 'P-256' ? 'ES256' : undefined
  return alg === undefined || alg === own ? own : undefined
}

/** RFC 7517 sections 4.2 and 4.3: both are optional. */
function isForVerifying({ use, key_ops: operations }: Jwk): boolean {
  if (use !== undefined && use !== 'sig') return false
  return operations === undefined || (Array.isArray(operations) && operations.includes('verify'))
}
