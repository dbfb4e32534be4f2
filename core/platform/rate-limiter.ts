/**
 * A limit of requests per minute and key, counted in Redis for the whole cluster (contract, "Rate Limits"). Never a
 * reason to fail: while Redis is away or slow, each process counts for itself.
 */
import type { Redis } from 'ioredis'
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'

/** Decisions, "Limits": no request waits longer for Redis. */
const REDIS_TIMEOUT_MS = 50
/** After a failure Redis is left alone for so long, or every request would wait in vain and pile up commands. */
const REDIS_PAUSE_MS = 1_000
/** Contract, "Rate Limits": all of them are per minute. */
const WINDOW_SECONDS = 60

export interface RateVerdict {
  allowed: boolean
  limit: number
  remaining: number
  /** Until the window of this key is over. */
  resetMs: number
  /** By this process alone. */
  countedLocally: boolean
}

export class RateLimiter {
  readonly #limit: number
  readonly #shared: RateLimiterRedis
  readonly #local: RateLimiterMemory
  #avoidRedisUntil = 0

  /** `name` is part of the key: `<prefix>rate:<name>:<key>` -> count, TTL 60 s from the first request. */
  constructor(redis: Redis, options: { keyPrefix: string; name: string; perMinute: number }) {
    const limits = { points: options.perMinute, duration: WINDOW_SECONDS }
    this.#limit = options.perMinute
    this.#shared = new RateLimiterRedis({
      ...limits,
      storeClient: redis,
      keyPrefix: `${options.keyPrefix}rate:${options.name}`,
    })
    this.#local = new RateLimiterMemory({ ...limits, keyPrefix: options.name })
  }

  /** Counts one request of `key`. The last one that fits is allowed, the next is not; a refused one counts, too. */
  async take(key: string): Promise<RateVerdict> {
    if (performance.now() >= this.#avoidRedisUntil) {
      try {
        return this.#verdict(true, await soon(this.#shared.consume(key)))
      } catch (refusal) {
        if (refusal instanceof RateLimiterRes) return this.#verdict(false, refusal)
        this.#avoidRedisUntil = performance.now() + REDIS_PAUSE_MS
      }
    }
    try {
      return this.#verdict(true, await this.#local.consume(key), true)
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) return this.#verdict(false, refusal, true)
      throw refusal
    }
  }

  #verdict(allowed: boolean, count: RateLimiterRes, countedLocally = false): RateVerdict {
    const resetMs = Math.max(0, count.msBeforeNext)
    return { allowed, limit: this.#limit, remaining: count.remainingPoints, resetMs, countedLocally }
  }
}

/** A busy process must not blame Redis: after the timer one turn of the event loop delivers what has already arrived. */
async function soon<T>(reply: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const giveUp = () => reject(new Error(`redis did not answer within ${REDIS_TIMEOUT_MS} ms`))
    timer = setTimeout(() => setImmediate(() => setImmediate(giveUp)), REDIS_TIMEOUT_MS)
  })
  try {
    return await Promise.race([reply, late])
  } finally {
    clearTimeout(timer)
  }
}
