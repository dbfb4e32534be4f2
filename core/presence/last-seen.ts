/**
 * When this node's users were last connected. Each connect and disconnect is written within half a second, together
 * with all others of that time; users who stay connected are written every 30 s.
 */
import type { Logger } from '../platform/logger.ts'
import type { SeenUser } from './seen-users.ts'

/** An event waits this long for others: one statement for all connections of a storm. */
const GATHER_MS = 500
/** While Redis is away, readers take a user for connected who was seen within three of these (presence-store.ts). */
const REFRESH_EVERY_MS = 30_000
/** After a write that failed. */
const RETRY_AFTER_MS = 5000
/** Users kept while Postgres is away: some 30 MB. Those who left first are forgotten first. */
const WAITING_MAX = 200_000

interface LastSeenDeps {
  write(seen: SeenUser[]): Promise<void>
  /** The users who have a connection now. */
  connected(): Iterable<string>
  log: Pick<Logger, 'debug'>
}

export class LastSeen {
  readonly #deps: LastSeenDeps
  /** By user, when: `performance.now()`. */
  #waiting = new Map<string, number>()
  #refresh: NodeJS.Timeout | undefined
  #next: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  #isWriting = false
  #isOver = false

  constructor(deps: LastSeenDeps) {
    this.#deps = deps
  }

  start(): void {
    this.#refresh = setInterval(() => this.#seeConnected(), REFRESH_EVERY_MS)
  }

  /** The user was connected at this moment. */
  seen(userId: string): void {
    // Set anew, so that the map stays in the order of time.
    this.#waiting.delete(userId)
    this.#waiting.set(userId, performance.now())
    if (this.#waiting.size > WAITING_MAX)
      for (const oldest of this.#waiting.keys()) {
        this.#waiting.delete(oldest)
        break
      }
    this.#writeIn(GATHER_MS)
  }

  /** Writes the waiting users and the connected ones, in one attempt; after a failure their times are lost. */
  async stop(): Promise<void> {
    clearInterval(this.#refresh)
    this.#seeConnected()
    this.#isOver = true
    clearTimeout(this.#next)
    await this.#writing
    await this.#write()
  }

  #seeConnected(): void {
    for (const userId of this.#deps.connected()) this.seen(userId)
  }

  #writeIn(ms: number): void {
    if (this.#isOver || this.#isWriting || this.#next !== undefined) return
    this.#next = setTimeout(() => {
      this.#next = undefined
      this.#isWriting = true
      this.#writing = this.#write().then((isWritten) => {
        this.#isWriting = false
        if (this.#waiting.size > 0) this.#writeIn(isWritten ? GATHER_MS : RETRY_AFTER_MS)
      })
    }, ms)
  }

  /** False where it failed; what failed waits again. */
  async #write(): Promise<boolean> {
    const batch = this.#waiting
    if (batch.size === 0) return true
    this.#waiting = new Map()
    const now = performance.now()
    try {
      await this.#deps.write([...batch].map(([userId, at]) => ({ userId, ageMs: now - at })))
      return true
    } catch (error) {
      // A later event of the same user takes the place of the earlier one.
      this.#waiting = new Map([...batch, ...this.#waiting])
      this.#deps.log.debug({ err: (error as Error).message, users: batch.size }, 'last seen not written yet')
      return false
    }
  }
}
