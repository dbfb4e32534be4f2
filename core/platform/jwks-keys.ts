/**
 * The auth service's key set (RFC 7517), cached. A rotated key is picked up when a token names it; while the auth
 * service is down, or serves a set without a usable key, the keys known so far go on working, however old.
 */
import type { KeyObject } from 'node:crypto'
import { AppError } from '../protocol/errors.ts'
import { readKeySet, type VerificationKey } from './key-set.ts'
import type { TokenHeader } from './token-claims.ts'

/** Known keys are read again after this long, so that a withdrawn key stops working. */
const REFRESH_MS = 300_000
/** The auth service is asked at most this often, or a flood of made-up key ids would be passed on to it. */
const ASK_AGAIN_MS = 1_000
const FETCH_TIMEOUT_MS = 3_000
/** Keys tried for one token: sets have two to four keys, and each try costs up to 0.1 ms (ES256, Node 20). */
const TRIED_MAX = 5
/** Tokens that wait for a reading at the same time; further ones are sent away, so that strangers cannot pile up here. */
const WAITING_MAX = 100

export class JwksKeys {
  readonly #url: string
  #keys: VerificationKey[] = []
  #readAt = Number.NEGATIVE_INFINITY
  /** When the last reading began, or ended without a usable set. */
  #askedAt = Number.NEGATIVE_INFINITY
  #hasFailed = false
  #asking: Promise<boolean> | undefined
  #waiting = 0

  constructor(url: string) {
    this.#url = url
  }

  /**
   * The keys that may have signed a token, at most {@link TRIED_MAX}: those of its `kid`; where the token or the key
   * has no `kid`, all that fit its algorithm.
   */
  candidates({ alg, kid }: TokenHeader): KeyObject[] {
    // Nobody waits for the refresh of a set that already has the key.
    if (performance.now() - this.#readAt >= REFRESH_MS && !this.#isPausing()) void this.#ask()
    const fitting = this.#keys.filter((key) => key.alg === alg)
    const named = kid === undefined ? fitting : fitting.filter((key) => key.kid === kid)
    const chosen = named.length > 0 ? named : fitting.filter((key) => key.kid === undefined)
    return chosen.slice(0, TRIED_MAX).map(({ key }) => key)
  }

  /** Whether a key that is not known yet may have signed the token: no known key has its `kid`. */
  mayHaveMore({ alg, kid }: TokenHeader): boolean {
    return kid === undefined || !this.#keys.some((key) => key.kid === kid && key.alg === alg)
  }

  /**
   * Waits for one reading of the set, which all that wait share: up to {@link ASK_AGAIN_MS} for its turn, and up to
   * {@link FETCH_TIMEOUT_MS} for the auth service.
   * @throws SERVICE_UNAVAILABLE where the set cannot be read, or just could not be, and where too many wait already
   */
  async learn(): Promise<void> {
    if (this.#isPausing() || this.#waiting >= WAITING_MAX) throw unavailable()
    this.#waiting += 1
    try {
      if (!(await this.#ask())) throw unavailable()
    } finally {
      this.#waiting -= 1
    }
  }

  /** The auth service has just failed: nobody waits for it for a moment. */
  #isPausing(): boolean {
    return this.#hasFailed && performance.now() - this.#askedAt < ASK_AGAIN_MS
  }

  /** One reading at a time. Says whether it brought a usable set. */
  #ask(): Promise<boolean> {
    this.#asking ??= this.#askInTurn().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #askInTurn(): Promise<boolean> {
    const pauseMs = this.#askedAt + ASK_AGAIN_MS - performance.now()
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
    this.#askedAt = performance.now()
    const keys = await this.#read()
    // A set without a usable key is a fault of its server, never the withdrawal of all keys.
    this.#hasFailed = keys.length === 0
    if (this.#hasFailed) {
      this.#askedAt = performance.now()
      return false
    }
    this.#keys = keys
    this.#readAt = performance.now()
    return true
  }

  /** Empty where the auth service is away or answers nonsense. */
  async #read(): Promise<VerificationKey[]> {
    try {
      const response = await fetch(this.#url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) })
      return response.ok ? readKeySet(await response.json()) : []
    } catch {
      return []
    }
  }
}

function unavailable(): AppError {
  return new AppError('SERVICE_UNAVAILABLE', 'The auth service cannot be asked for its keys right now')
}
