/**
 * The Engine.IO sessions that have not asked for the namespace yet. Anybody may open one, without a token, so there is
 * room for a number of them only: where more come, the oldest goes. A client needs one round trip here.
 */
import type { EngineSession } from './engine-session.ts'

/** A crowd of 500 clients a second that are 2 s away. */
const MOST_WAITING = 1000

export class Lobby {
  /** In the order of their coming. */
  readonly #waiting = new Set<EngineSession>()

  enter(session: EngineSession): void {
    this.#waiting.add(session)
    if (this.#waiting.size <= MOST_WAITING) return
    for (const oldest of this.#waiting) {
      this.#waiting.delete(oldest)
      return oldest.cut()
    }
  }

  leave(session: EngineSession): void {
    this.#waiting.delete(session)
  }
}
