/** A token bucket for each connection: what a client may send before it counts as a flood. */

export class FloodGate {
  readonly #perMs: number
  readonly #burst: number
  #tokens: number
  #at: number

  /** Defaults of the decisions, "Signaling": 100 messages a second, 400 at once. `now` is in ms. */
  constructor(limits: { floodPerSecond: number; floodBurst: number }, now: number) {
    this.#perMs = limits.floodPerSecond / 1000
    this.#burst = limits.floodBurst
    this.#tokens = limits.floodBurst
    this.#at = now
  }

  /** Counts one message; false when it is one too many. */
  admit(now: number): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) * this.#perMs)
    this.#at = now
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}
