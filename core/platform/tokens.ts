/** Verifies tokens (decisions, "Authentication and ownership"). A token's text never leaves this file. */
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { AppError } from '../protocol/errors.ts'
import type { Config } from './config.ts'
import { CredentialFault } from './credentials.ts'
import { ConfigError } from './environment.ts'
import { JwksKeys } from './jwks-keys.ts'
import { type Identity, identityOf, readTokenHeader, type TokenHeader } from './token-claims.ts'

/** Decisions, "Authentication": clocks of issuer and verifier may differ by this much. */
export const CLOCK_TOLERANCE_SECONDS = 5

/** Runs a wait for the auth service; a caller that holds something scarce gives it up meanwhile. */
export type Aside = (wait: () => Promise<void>) => Promise<void>

export interface TokenVerifier {
  /**
   * Waits for the auth service only where no known key may have signed the token, by `aside`.
   * @throws CredentialFault without a hint at which check failed beyond its sentence; SERVICE_UNAVAILABLE where the
   *   key may be one that the auth service cannot be asked for
   */
  verify(token: string | undefined, aside?: Aside): Promise<Identity>
}

/** The configured keys. Those of a key set change. */
interface KeySource {
  /** Few keys that may have signed the token. */
  candidates(header: TokenHeader): KeyObject[]
  /** Whether a key that is not known yet may have signed it. */
  mayHaveMore(header: TokenHeader): boolean
  /** Waits for new keys. @throws SERVICE_UNAVAILABLE */
  learn(): Promise<void>
}

/**
 * Builds the verifier for the one configured kind of key. The algorithm follows from the key, never from the token:
 * a secret takes HS256 alone, a public key or a key set RS256 and ES256 alone.
 */
export function createTokenVerifier(config: Config['tokens']): TokenVerifier {
  const keys = keySource(config)
  const algorithms: jwt.Algorithm[] = config.secret !== '' ? ['HS256'] : ['RS256', 'ES256']
  const options = {
    algorithms,
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    ...(config.issuer === '' ? {} : { issuer: config.issuer }),
    ...(config.audience === '' ? {} : { audience: config.audience }),
  }

  /** Undefined where none of the keys has signed it. */
  function identify(token: string, candidates: KeyObject[]): Identity | undefined {
    for (const key of candidates) {
      try {
        return identityOf(jwt.verify(token, key, options))
      } catch (error) {
        if (error instanceof AppError) throw error
        if (!isSignatureFault(error)) throw new CredentialFault(sentenceFor(error))
      }
    }
    return undefined
  }

  return {
    async verify(token, aside = (wait) => wait()) {
      if (token === undefined || token === '')
        throw new CredentialFault('A bearer token is required', { isMissing: true })
      const header = readTokenHeader(token, algorithms)
      let identity = identify(token, keys.candidates(header))
      if (identity === undefined && keys.mayHaveMore(header)) {
        await aside(() => keys.learn())
        identity = identify(token, keys.candidates(header))
      }
      if (identity === undefined) throw new CredentialFault('The token is not valid')
      return identity
    },
  }
}

function keySource(config: Config['tokens']): KeySource {
  if (config.jwksUrl !== '') return new JwksKeys(config.jwksUrl)
  // Built once: jsonwebtoken.verify costs 7 µs with a key object and 327 µs with a string (measured, Node 20.20).
  const only = [
    config.secret !== '' ? createSecretKey(Buffer.from(config.secret, 'utf8')) : readPublicKey(config.publicKey),
  ]
  return { candidates: () => only, mayHaveMore: () => false, learn: async () => {} }
}

function readPublicKey(pem: string): KeyObject {
  try {
    return createPublicKey(pem)
  } catch {
    throw new ConfigError('JWT_PUBLIC_KEY must be a public key in PEM form.')
  }
}

/** Another key may have signed it. jsonwebtoken has no class of its own for this. */
function isSignatureFault(error: unknown): boolean {
  return error instanceof jwt.JsonWebTokenError && error.message === 'invalid signature'
}

function sentenceFor(error: unknown): string {
  if (error instanceof jwt.TokenExpiredError) return 'The token has expired'
  if (error instanceof jwt.NotBeforeError) return 'The token is not valid yet'
  return 'The token is not valid'
}
