/**
 * Whether this process was paused lately: stopped, swapped out, or busy for long. What its sockets then hold may be older
 * than what their clients have done since, so a second look is worth its cost; at other times it is not.
 */

const TICK_MS = 100
/** A tick that comes so late says that something older than that may be waiting. */
const PAUSE_MS = 500
/** After a pause, the time in which everything that was waiting has been read. */
const ALERT_MS = 5_000

export class PauseWatch {
  #tickedAt = performance.now()
  #pausedAt = Number.NEGATIVE_INFINITY
  readonly #timer: NodeJS.Timeout

  constructor() {
    this.#timer = setInterval(() => this.#look(), TICK_MS).unref()
  }

  #look(): void {
    const now = performance.now()
    if (now - this.#tickedAt > PAUSE_MS) this.#pausedAt = now
    this.#tickedAt = now
  }

  /** True during a pause that nobody noticed yet, and some seconds after one. */
  wasPaused(): boolean {
    const now = performance.now()
    return now - this.#tickedAt > PAUSE_MS || now - this.#pausedAt < ALERT_MS
  }

  close(): void {
    clearInterval(this.#timer)
  }
}
