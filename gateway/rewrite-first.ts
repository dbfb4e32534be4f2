/**
 * The order of old and new at a server of Redis that this node has not written to: what the node remembers goes in first,
 * then what its peers send now. Otherwise a recipient that came back meanwhile gets the new before the old.
 */

/** Longest wait of new messages. Where writing fails again and again, order is not worth the messages. */
const WAIT_MAX_MS = 2000

export class RewriteFirst {
  readonly #history: () => string
  readonly #now: () => number
  #written = ''
  #awaited = ''
  #since = 0

  /** `history`: the replication id of the server that the connection leads to, '' where it may not be read. */
  constructor(history: () => string, now: () => number = () => performance.now()) {
    this.#history = history
    this.#now = now
  }

  /** To be read before the node writes itself, and handed to {@link done} after. */
  get current(): string {
    return this.#history()
  }

  /** Everything that this node remembers is on the server of this history. */
  done(history: string): void {
    this.#written = history
  }

  /** Whether messages should wait: the server is another one than this node has written its messages to. */
  get isDue(): boolean {
    const history = this.#history()
    if (history === '' || history === this.#written) return false
    if (history !== this.#awaited) {
      this.#awaited = history
      this.#since = this.#now()
    }
    return this.#now() - this.#since < WAIT_MAX_MS
  }
}
