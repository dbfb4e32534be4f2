/**
 * Postgres' clock as a process knows it, for times that are written down later than they happened. The process' own clock
 * is not asked: only its monotonic one, which is compared with Postgres' now and then.
 */
import type { Database } from './postgres.ts'

/** A comparison is trusted for so long; monotonic clocks drift by microseconds in that time. */
const TRUSTED_MS = 60_000
/** A server that takes over has a clock of its own; who writes all the time need not ask each time. */
const COMPARE_EVERY_MS = 5000

export class PostgresClock {
  readonly #db: Database
  /** Postgres' time at zero of the monotonic clock, ms; right to within half of the round trip that told it. */
  #zeroMs: number | undefined
  #roundTripMs = Number.POSITIVE_INFINITY
  #comparedAt = Number.NEGATIVE_INFINITY
  #askedAt = Number.NEGATIVE_INFINITY

  constructor(db: Database) {
    this.#db = db
  }

  /** Asks, unless it was told a moment ago. The fastest answer counts. Rejects while Postgres is away. */
  async compare(): Promise<void> {
    const sentAt = performance.now()
    if (sentAt - this.#askedAt < COMPARE_EVERY_MS) return
    const { rows } = await this.#db.raw<{ rows: { ms: number }[] }>(
      'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS ms',
    )
    const receivedAt = performance.now()
    this.#askedAt = receivedAt
    const roundTripMs = receivedAt - sentAt
    if (rows[0] === undefined) return
    if (roundTripMs > this.#roundTripMs && receivedAt - this.#comparedAt < TRUSTED_MS) return
    this.#roundTripMs = roundTripMs
    this.#comparedAt = receivedAt
    this.#zeroMs = rows[0].ms - (sentAt + receivedAt) / 2
  }

  /** Postgres' time at a moment of `performance.now()`. @throws before the first {@link compare} */
  at(monotonicMs: number): Date {
    if (this.#zeroMs === undefined) throw new Error('The clocks were not compared yet')
    return new Date(this.#zeroMs + monotonicMs)
  }
}
