// What came of the messages: how many, how fast, and whether each arrived once and in order.

/** Counts of a load since its beginning. */
export interface Counts {
  sent: number
  delivered: number
  acknowledged: number
  duplicated: number
  reordered: number
  /** Messages that the server answered with an error: not kept, and their sender knows. */
  refused: number
  /** Everything else that went wrong: other errors, lost connections, messages for somebody else. */
  errors: number
}

/** Watches the numbers that one connection gets from its partner: 1, 2, 3 and so on. */
export class OrderWatch {
  #highest = 0
  #missing: Set<number> | undefined

  /** Takes a number and counts what it says. */
  take(number: number, counts: Counts): void {
    if (number === this.#highest + 1) {
      this.#highest = number
      counts.delivered += 1
      return
    }
    if (number > this.#highest) {
      this.#missing ??= new Set()
      for (let passed = this.#highest + 1; passed < number; passed++) this.#missing.add(passed)
      this.#highest = number
      counts.delivered += 1
    } else if (this.#missing?.delete(number)) {
      counts.delivered += 1
      counts.reordered += 1
    } else counts.duplicated += 1
  }
}

/** More than a window can hold; later samples are dropped, not the messages. */
const SAMPLES_MAX = 1 << 20

/** Latencies of the messages that were sent within a window, and how many arrived within it. */
export class LatencyWindow {
  readonly #samples = new Float32Array(SAMPLES_MAX)
  #count = 0
  #from = Number.POSITIVE_INFINITY
  #until = Number.POSITIVE_INFINITY

  begin(now: number): void {
    this.#count = 0
    this.#from = now
    this.#until = Number.POSITIVE_INFINITY
  }

  end(now: number): void {
    this.#until = now
  }

  add(sentAt: number, now: number): void {
    if (sentAt < this.#from || sentAt >= this.#until || this.#count === SAMPLES_MAX) return
    this.#samples[this.#count] = now - sentAt
    this.#count += 1
  }

  /** Milliseconds at a share of the samples, 0.5 for the median; NaN without samples. */
  quantiles(...shares: number[]): number[] {
    const sorted = this.#samples.subarray(0, this.#count).slice().sort()
    return shares.map((share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN)
  }
}
