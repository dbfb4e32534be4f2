/** Users lost from this node whose grace is not over: a wiped Redis must hear of them again. */
import type { Side } from '../core/rooms/room.ts'

interface Grace {
  callId: string
  side: Side
  /** Its end, ms since 1970. */
  due: number
}

export class Graces {
  readonly #pending = new Map<string, Grace>()

  begin(grace: Grace): void {
    this.#pending.set(keyOf(grace), grace)
    // In the order of their ends: those in front are over first.
    for (const [key, { due }] of this.#pending) {
      if (due > Date.now()) break
      this.#pending.delete(key)
    }
  }

  /** The user is back. */
  end(seat: Pick<Grace, 'callId' | 'side'>): void {
    this.#pending.delete(keyOf(seat))
  }

  /** Hands on each grace that is not over, one after the other. */
  async each(restore: (grace: Grace) => Promise<void>): Promise<void> {
    for (const [key, grace] of this.#pending) {
      if (grace.due <= Date.now()) this.#pending.delete(key)
      else await restore(grace)
    }
  }
}

const keyOf = ({ callId, side }: Pick<Grace, 'callId' | 'side'>) => callId + side
