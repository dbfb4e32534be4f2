/** What came lately from the other side: a message that is delivered a second time is passed over. */
import type { RelayedMessage } from '../core/protocol/signaling.ts'

/** As many as the service remembers. */
const REMEMBERED = 512

export class RecentMessages {
  readonly #known = new Set<string>()

  /** A sender's id tells a repetition; of a message without one its place does, where it has one. */
  isNew({ id, seq }: RelayedMessage & { seq?: string }): boolean {
    const key = id === undefined ? seq && `seq ${seq}` : `${typeof id} ${id}`
    if (key === undefined || key === '') return true
    if (this.#known.has(key)) return false
    this.#known.add(key)
    for (const oldest of this.#known) {
      if (this.#known.size <= REMEMBERED) break
      this.#known.delete(oldest)
    }
    return true
  }
}
