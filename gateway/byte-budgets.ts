/**
 * What a user may send in bytes, whatever the number of connections: a token bucket for each user with a connection to
 * this node. The flood limit counts messages of a connection; a hundred a second of 64 KiB over five connections are
 * 32 MiB a second, which no two peer connections have to say to each other.
 */

/** Buckets are looked through for full ones when there are so many more. */
const SWEEP_EVERY = 1024

interface Bucket {
  bytes: number
  at: number
}

export class ByteBudgets {
  readonly #perMs: number
  readonly #burst: number
  readonly #buckets = new Map<string, Bucket>()
  #sweepAt = SWEEP_EVERY

  constructor(limits: { floodBytesPerSecond: number; floodBurstBytes: number }) {
    this.#perMs = limits.floodBytesPerSecond / 1000
    this.#burst = limits.floodBurstBytes
  }

  /** Counts a message of a user; false when it is beyond the user's budget. `now` is in ms. */
  admit(userId: string, bytes: number, now: number): boolean {
    const bucket = this.#buckets.get(userId)
    if (bucket === undefined) {
      this.#buckets.set(userId, { bytes: this.#burst - bytes, at: now })
      if (this.#buckets.size > this.#sweepAt) this.#sweep(now)
      return bytes <= this.#burst
    }
    const left = Math.min(this.#burst, bucket.bytes + (now - bucket.at) * this.#perMs)
    bucket.at = now
    if (left < bytes) {
      bucket.bytes = left
      return false
    }
    bucket.bytes = left - bytes
    return true
  }

  /** Users whose budget is known. */
  get size(): number {
    return this.#buckets.size
  }

  /** A bucket that is full by now says nothing that a new one would not. */
  #sweep(now: number): void {
    for (const [userId, { bytes, at }] of this.#buckets)
      if (bytes + (now - at) * this.#perMs >= this.#burst) this.#buckets.delete(userId)
    this.#sweepAt = this.#buckets.size + SWEEP_EVERY
  }
}
