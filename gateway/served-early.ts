/**
 * The messages that a peer was handed while Redis was away, before they had a number. Each counts as delivered when its
 * turn in the log comes, whichever is seen first: the reply of its flush, or the log itself, read for another reason.
 */
import { type Entry, formatSeq } from '../core/rooms/room.ts'

export class ServedEarly {
  /** Bodies without a number yet, and how often each was handed over. */
  readonly #unnumbered = new Map<string, number>()
  /** Places of entries that were handed over and whose turn has not come. */
  readonly #numbered = new Set<string>()
  /** Places whose turn came before the reply of their flush. */
  readonly #early = new Set<string>()

  /** A body was handed over. */
  add(body: string): void {
    this.#unnumbered.set(body, (this.#unnumbered.get(body) ?? 0) + 1)
  }

  /** The body got no number and never will. */
  forget(body: string): void {
    const count = this.#unnumbered.get(body) ?? 0
    if (count > 1) this.#unnumbered.set(body, count - 1)
    else this.#unnumbered.delete(body)
  }

  /** The reply of the flush: this is where the body stands. */
  numbered({ epoch, number, body }: Entry): void {
    const place = formatSeq(epoch, number)
    if (this.#early.delete(place)) return
    this.forget(body)
    this.#numbered.add(place)
  }

  /** True, once, for an entry that was handed over already. */
  take({ epoch, number, body }: Entry): boolean {
    if (this.#numbered.size + this.#unnumbered.size === 0) return false
    const place = formatSeq(epoch, number)
    if (this.#numbered.delete(place)) return true
    if (!this.#unnumbered.has(body)) return false
    this.forget(body)
    this.#early.add(place)
    return true
  }
}
