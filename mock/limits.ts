/** Limits: requests a minute of a user, and frames a second of a connection. */
import type { MockClock } from './clock.ts'
import { MockError } from './errors.ts'

const MINUTE_MS = 60_000

/** So many a minute for each user; the minute begins with the first. */
export class MinuteLimit {
  readonly #clock: MockClock
  readonly #max: number
  readonly #windows = new Map<string, { untilMs: number; count: number }>()

  constructor(clock: MockClock, max: number) {
    this.#clock = clock
    this.#max = max
  }

  /** Counts one, and returns the headers that tell how many are left. @throws RATE_LIMITED */
  take(userId: string): Record<string, string> {
    const now = this.#clock.now()
    const known = this.#windows.get(userId)
    const window = known !== undefined && known.untilMs > now ? known : { untilMs: now + MINUTE_MS, count: 0 }
    this.#windows.set(userId, window)
    window.count += 1
    const seconds = Math.max(1, Math.ceil((window.untilMs - now) / 1000))
    const headers = {
      'RateLimit-Limit': String(this.#max),
      'RateLimit-Remaining': String(Math.max(0, this.#max - window.count)),
      'RateLimit-Reset': String(seconds),
    }
    if (window.count <= this.#max) return headers
    throw new MockError('RATE_LIMITED', 'Rate limit exceeded', {
      details: { limit: this.#max, retry_after_seconds: seconds },
      headers: { ...headers, 'Retry-After': String(seconds) },
    })
  }
}

/** A bucket of `burst` that fills again by `perSecond`. It goes by real time: a leap of the clock forgives no flood. */
export class FrameLimit {
  readonly #perSecond: number
  readonly #burst: number
  #left: number
  #atMs = Date.now()

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#left = burst
  }

  /** False for one too many. */
  take(): boolean {
    const now = Date.now()
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#atMs) / 1000) * this.#perSecond)
    this.#atMs = now
    this.#left -= 1
    return this.#left >= 0
  }
}
