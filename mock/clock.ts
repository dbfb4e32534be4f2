/** The clock of a mock: runs by itself, and leaps where a test says so. Everything that waits in the mock waits here. */

interface Timer {
  atMs: number
  run(): void
}

export class MockClock {
  #offsetMs = 0
  #timers = new Set<Timer>()
  #wake: NodeJS.Timeout | undefined
  #isStopped = false

  /** Milliseconds since 1970. */
  now(): number {
    return Date.now() + this.#offsetMs
  }

  iso(ms = this.now()): string {
    return new Date(ms).toISOString()
  }

  /** Calls `run` when that much time has passed, or was leaped over. Returns what takes it back. */
  after(ms: number, run: () => void): () => void {
    const timer = { atMs: this.now() + ms, run }
    this.#timers.add(timer)
    this.#arm()
    return () => this.#timers.delete(timer)
  }

  /** Leaps ahead: what becomes due on the way happens at once, in its order, each at its own time. */
  advance(ms: number): void {
    const end = this.now() + ms
    for (let next = this.#next(); next !== undefined && next.atMs <= end; next = this.#next()) {
      this.#offsetMs += Math.max(0, next.atMs - this.now())
      this.#fire(next)
    }
    this.#offsetMs += Math.max(0, end - this.now())
    this.#arm()
  }

  stop(): void {
    this.#isStopped = true
    this.#timers.clear()
    clearTimeout(this.#wake)
  }

  #next(): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) if (next === undefined || timer.atMs < next.atMs) next = timer
    return next
  }

  #fire(timer: Timer): void {
    this.#timers.delete(timer)
    timer.run()
  }

  #arm(): void {
    clearTimeout(this.#wake)
    const next = this.#next()
    if (next === undefined || this.#isStopped) return
    const waitMs = Math.min(next.atMs - this.now(), 2 ** 31 - 1)
    this.#wake = setTimeout(
      () => {
        for (let due = this.#next(); due !== undefined && due.atMs <= this.now(); due = this.#next()) this.#fire(due)
        this.#arm()
      },
      Math.max(0, waitMs),
    )
  }
}
