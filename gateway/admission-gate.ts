/**
 * How many handshakes this node checks at once, and what becomes of the others. After the death of a node its clients
 * come all together: some are checked, some wait in a line for a moment, as a browser cannot read advice, and the rest
 * are told when there will be room for them. Nobody's messages wait behind a crowd of handshakes: while the event loop
 * is late, fewer are checked at once.
 */
import type { Aside } from '../core/platform/tokens.ts'
import { AppError } from '../core/protocol/errors.ts'

/**
 * However late the node is, so many are checked at once: what is late is not always the handshakes' fault, and each of
 * them waits for its stores most of the time. Some 30 ms of work, if all of them are answered in the same turn.
 */
const LEAST_AT_ONCE = 32
/** Where the adaptation starts. */
const FIRST_AT_ONCE = 64
const LOOK_MS = 25
/** A turn of the event loop that a message may wait for; the contract's target for signaling is 100 ms. */
const LATE_MS = 50
/** The line is as long as can be served in this time, at the rate of the last seconds. */
const LINE_MS = 1000
/** Handshakes a second until they were counted: half of what one core of a small machine does. */
const FIRST_RATE = 500
const LEAST_RATE = 50
const RATE_PERIOD_MS = 500
/** At most so many leave the line in one turn of the event loop: some 5 ms of work, behind which messages wait. */
const PER_TURN = 8
/** The longest and the shortest advice. */
const ADVICE_MS = { least: 250, most: 60_000 }

export interface GateCounts {
  underWay: number
  waiting: number
  /** How many may be under way now. */
  limit: number
}

/** What passes, for tests: the clock in ms, and the turns of the event loop. */
export interface Passing {
  now(): number
  nextTurn(action: () => void): void
}

const REAL: Passing = { now: () => performance.now(), nextTurn: (action) => void setImmediate(action) }

export class AdmissionGate {
  readonly #most: number
  readonly #passing: Passing
  readonly #line: (() => void)[] = []
  #limit: number
  #underWay = 0
  /** Handshakes a second that this node gets done while it is asked for more. */
  #perSecond = FIRST_RATE
  #done = 0
  #countingSince: number | undefined
  #lookedAt = 0
  #looking: NodeJS.Timeout | undefined
  /** The next free place in the schedule of those that were sent away. */
  #nextPlaceAt = 0

  #admitting = false

  /** `most` handshakes at once. */
  constructor(most: number, passing: Passing = REAL) {
    this.#most = most
    this.#limit = Math.min(most, FIRST_AT_ONCE)
    this.#passing = passing
  }

  get counts(): GateCounts {
    return { underWay: this.#underWay, waiting: this.#line.length, limit: this.#limit }
  }

  /**
   * Runs `handshake` when it is its turn. It hands waits for others than our own stores to `aside`: others have its
   * place meanwhile, and it stands in line again afterwards.
   * @throws SERVICE_UNAVAILABLE with `details.retry_after_ms` where the line is full, and whatever `handshake` throws
   */
  async pass<T>(handshake: (aside: Aside) => Promise<T>): Promise<T> {
    await this.#enter()
    let isInside = true
    try {
      return await handshake(async (wait) => {
        isInside = false
        this.#free()
        await wait()
        await this.#enter()
        isInside = true
      })
    } finally {
      if (isInside) this.#leave()
    }
  }

  async #enter(): Promise<void> {
    this.#watch()
    if (this.#underWay < this.#limit && this.#line.length === 0) {
      this.#underWay += 1
      return
    }
    if (this.#line.length >= (this.#perSecond * LINE_MS) / 1000) throw this.sendAway()
    await new Promise<void>((resolve) => this.#line.push(resolve))
  }

  #leave(): void {
    this.#done += 1
    this.#free()
  }

  #free(): void {
    this.#underWay -= 1
    this.#admit()
  }

  /** In each of the next turns some of those that wait, as long as there is room. */
  #admit(): void {
    if (this.#admitting || this.#line.length === 0 || this.#underWay >= this.#limit) return
    this.#admitting = true
    this.#passing.nextTurn(() => {
      this.#admitting = false
      for (let begun = 0; begun < PER_TURN && this.#underWay < this.#limit; begun++) {
        const begin = this.#line.shift()
        if (begin === undefined) return
        this.#underWay += 1
        begin()
      }
      this.#admit()
    })
  }

  /**
   * What one that cannot be checked is told: each gets a place of its own, as far apart as handshakes are done, so that
   * a crowd comes back as a queue.
   */
  sendAway(): AppError {
    const now = this.#passing.now()
    this.#nextPlaceAt = Math.max(this.#nextPlaceAt, now + ADVICE_MS.least) + 1000 / this.#perSecond
    const ms = Math.min(ADVICE_MS.most, Math.ceil(this.#nextPlaceAt - now))
    return new AppError('SERVICE_UNAVAILABLE', 'Too many connections at once, connect again later', {
      details: { retry_after_ms: ms },
    })
  }

  #watch(): void {
    if (this.#looking !== undefined) return
    this.#lookedAt = this.#passing.now()
    this.#looking = setInterval(() => this.look(), LOOK_MS).unref()
  }

  /** Every {@link LOOK_MS} while there is anything to do: a look that comes late says that everything is late. */
  look(): void {
    const now = this.#passing.now()
    const lateMs = now - this.#lookedAt - LOOK_MS
    this.#lookedAt = now
    const isBusy = this.#line.length > 0
    if (lateMs > LATE_MS) this.#limit = Math.min(this.#most, Math.max(LEAST_AT_ONCE, Math.floor(this.#limit / 2)))
    else if (isBusy && this.#limit < this.#most) this.#limit += 1
    this.#count(now, isBusy)
    this.#admit()
    if (this.#underWay > 0 || isBusy) return
    clearInterval(this.#looking)
    this.#looking = undefined
    this.#countingSince = undefined
  }

  /** What is done in a period counts only where somebody was waiting all the time: else it is not what could be done. */
  #count(now: number, isBusy: boolean): void {
    if (!isBusy || this.#countingSince === undefined) {
      this.#countingSince = isBusy ? now : undefined
      this.#done = 0
      return
    }
    const ms = now - this.#countingSince
    if (ms < RATE_PERIOD_MS) return
    const measured = (this.#done * 1000) / ms
    this.#perSecond = Math.max(LEAST_RATE, (this.#perSecond + measured) / 2)
    this.#countingSince = now
    this.#done = 0
  }
}
