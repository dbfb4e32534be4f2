/**
 * The auth service's key set (RFC 7517), cached. A rotated key is picked up when a token names it; while the auth
 * service is down, the keys known so far go on working, however old.
 */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { AppError } from '../protocol/errors.ts'
import { CredentialFault } from './credentials.ts'

/** Known keys are read again after this long, so that a withdrawn key stops working. */
const REFRESH_MS = 300_000
/** An unknown key id asks the auth service at most this often, or a flood of made-up ids would be passed on to it. */
const ASK_AGAIN_MS = 1_000
const FETCH_TIMEOUT_MS = 3_000

export class JwksKeys {
  readonly #url: string
  #keys = new Map<string, KeyObject>()
  #readAt = Number.NEGATIVE_INFINITY
  #askedAt = Number.NEGATIVE_INFINITY
  #asking: Promise<void> | undefined

  constructor(url: string) {
    this.#url = url
  }

  /**
   * The key named `kid`; without a name, the set's only key.
   * @throws UNAUTHORIZED for an unknown key, SERVICE_UNAVAILABLE while no key set could ever be read.
   */
  async find(kid: string | undefined): Promise<KeyObject> {
    const known = this.#lookUp(kid)
    if (known !== undefined && performance.now() - this.#readAt < REFRESH_MS) return known
    if (known !== undefined) {
      // Nobody waits for the refresh of a set that already has the key.
      void this.#ask()
      return known
    }
    await this.#ask()
    const found = this.#lookUp(kid)
    if (found !== undefined) return found
    if (this.#keys.size === 0)
      throw new AppError('SERVICE_UNAVAILABLE', 'The key set of the auth service is not at hand')
    throw new CredentialFault('The token is not valid')
  }

  #lookUp(kid: string | undefined): KeyObject | undefined {
    if (kid !== undefined) return this.#keys.get(kid)
    const [only, ...others] = this.#keys.values()
    return others.length === 0 ? only : undefined
  }

  async #ask(): Promise<void> {
    if (this.#asking !== undefined) return this.#asking
    if (performance.now() - this.#askedAt < ASK_AGAIN_MS) return
    this.#askedAt = performance.now()
    this.#asking = this.#read().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #read(): Promise<void> {
    try {
      const response = await fetch(this.#url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) })
      if (!response.ok) return
      const set = (await response.json()) as { keys?: unknown }
      if (!Array.isArray(set.keys)) return
      this.#keys = readKeys(set.keys)
      this.#readAt = performance.now()
    } catch {
      // The auth service is away or answers nonsense: the keys known so far stay in force.
    }
  }
}

function readKeys(entries: unknown[]): Map<string, KeyObject> {
  const keys = new Map<string, KeyObject>()
  for (const entry of entries) {
    if (typeof entry !== 'object' || entry === null) continue
    const jwk = entry as JsonWebKey & { kid?: unknown; use?: unknown }
    // Symmetric keys in a public set would be an algorithm confusion waiting to happen.
    if ((jwk.kty !== 'RSA' && jwk.kty !== 'EC') || jwk.use === 'enc') continue
    try {
      keys.set(typeof jwk.kid === 'string' ? jwk.kid : '', createPublicKey({ key: jwk, format: 'jwk' }))
    } catch {
      // One unreadable key must not make the others unusable.
    }
  }
  return keys
}
