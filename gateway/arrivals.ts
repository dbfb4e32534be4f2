/**
 * Upgrade requests, a few in each turn of the event loop. The system hands over a thousand sockets in one go: what a
 * crowd asked all at once was answered all at once, and for seconds no call's message got a turn between them.
 */
import type { Duplex } from 'node:stream'

/** Served in one turn: some 5 ms of work. One client that comes by itself never waits. */
const SERVED_PER_TURN = 8
/** Refused in one turn, beside those: a refusal is a quarter of the work. */
const REFUSED_PER_TURN = 16
/**
 * Where more than this wait, those that came first are refused until fewer do: they are about to lose patience, and
 * whoever served everybody in order would serve nobody but those who have left.
 */
const MOST_WAITING = 256

interface Arrival {
  socket: Duplex
  serve: () => void
  refuse: () => void
}

/** The turns of the event loop, for tests. */
export type NextTurn = (action: () => void) => void

export class Arrivals {
  readonly #nextTurn: NextTurn
  #waiting: Arrival[] = []
  #first = 0
  #servedThisTurn = 0
  #scheduled = false

  constructor(nextTurn: NextTurn = (action) => void setImmediate(action)) {
    this.#nextTurn = nextTurn
  }

  /** How many wait for their turn. */
  get waiting(): number {
    return this.#waiting.length - this.#first
  }

  /**
   * Calls `serve` now or in one of the next turns, in order, or `refuse` where too many wait; neither where the client
   * has gone meanwhile.
   */
  take({ socket, serve, refuse }: Arrival): void {
    if (this.waiting === 0 && this.#servedThisTurn < SERVED_PER_TURN) {
      this.#servedThisTurn += 1
      serve()
    } else {
      socket.on('error', destroyed)
      this.#waiting.push({ socket, serve, refuse })
    }
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#nextTurn(() => {
      this.#scheduled = false
      this.#refuseSurplus()
      this.#serveNext()
      if (this.waiting > 0) this.#schedule()
    })
  }

  #refuseSurplus(): void {
    for (let refused = 0; refused < REFUSED_PER_TURN && this.waiting > MOST_WAITING; refused++) this.#shift()?.refuse()
  }

  #serveNext(): void {
    this.#servedThisTurn = 0
    while (this.#servedThisTurn < SERVED_PER_TURN) {
      const arrival = this.#shift()
      if (arrival === undefined) break
      this.#servedThisTurn += 1
      arrival.serve()
    }
    if (this.waiting > 0 && this.#first < this.#waiting.length / 2) return
    this.#waiting = this.#waiting.slice(this.#first)
    this.#first = 0
  }

  /** The next one that is still there. */
  #shift(): Arrival | undefined {
    for (;;) {
      const arrival = this.#waiting[this.#first]
      if (arrival === undefined) return undefined
      this.#first += 1
      const { socket } = arrival
      if (hasLeft(socket)) socket.destroy()
      else {
        socket.off('error', destroyed)
        return arrival
      }
    }
  }
}

/** Node goes on reading a socket that nobody has taken yet, and so sees its end. */
function hasLeft(socket: Duplex): boolean {
  return socket.destroyed || socket.readableEnded || !socket.writable
}

function destroyed(this: Duplex): void {
  this.destroy()
}
