/**
 * Keeps what is asked of one connection's seat in order. Redis alone does not: a script that it must be taught first runs
 * behind what was sent after it, and a leave whose reply was lost is sent again. Either would take a seat that was
 * taken anew, while its peer counts itself in.
 */
import type { Peer } from './peer.ts'

export class SeatOrder {
  readonly #latest = new WeakMap<Peer, Promise<unknown>>()
  readonly #turns = new WeakMap<Peer, number>()

  /** Starts `work` at once, or when what was asked of the peer's seat before is done or has failed. */
  run<T>(peer: Peer, work: () => Promise<T>): Promise<T> {
    const before = this.#latest.get(peer)
    const mine = before === undefined ? work() : before.then(work, work)
    const done = () => {
      if (this.#latest.get(peer) === mine) this.#latest.delete(peer)
    }
    this.#latest.set(peer, mine)
    mine.then(done, done)
    return mine
  }

  /** A new wish for the seat begins; returns whether it is still the newest one. */
  begin(peer: Peer): () => boolean {
    const turn = (this.#turns.get(peer) ?? 0) + 1
    this.#turns.set(peer, turn)
    return () => this.#turns.get(peer) === turn
  }
}
