/** When a lost connection is made again: "Reconnecting" of the signaling protocol. Time and chance are given, none passes here. */
import type { CLOSE } from '../core/protocol/signaling.ts'

const RESTARTING: (typeof CLOSE)['RESTARTING'] = 1012
const FLOOD: (typeof CLOSE)['POLICY'] = 1008

/** The protocol's: the first wait is short, as the servers spread a crowd. */
const FIRST_WAIT_MS = 300
const LONGEST_WAIT_MS = 10_000
const FIRST_HANDSHAKE_MS = 4_000
const LONGEST_HANDSHAKE_MS = 16_000
/** A browser does not tell why a handshake was refused: after so many in a row somebody is to be asked. */
const ASK_AFTER_UNOPENED = 2
/** Who was cut off for a flood starts as if it had failed so often. */
const FAILURES_OF_A_FLOOD = 3

export interface Loss {
  /** Close code of the WebSocket. */
  code: number
  /** Whether the handshake had succeeded. */
  opened: boolean
}

export class ReconnectSchedule {
  readonly #random: () => number
  #losses = 0
  #handshakes = 0
  #unopened = 0

  constructor(random: () => number = Math.random) {
    this.#random = random
  }

  /** Milliseconds to wait before the next handshake. */
  lost({ code, opened }: Loss): number {
    this.#unopened = opened ? 0 : this.#unopened + 1
    if (!opened) this.#handshakes += 1
    if (code === FLOOD) this.#losses = Math.max(this.#losses, FAILURES_OF_A_FLOOD)
    const bound = Math.min(FIRST_WAIT_MS * 2 ** this.#losses, LONGEST_WAIT_MS)
    const atOnce = code === RESTARTING && this.#losses === 0
    this.#losses += 1
    return atOnce ? 0 : this.#random() * bound
  }

  /** A connection does again what it is there for. Opening it is not enough. */
  settled(): void {
    this.#losses = 0
    this.#handshakes = 0
    this.#unopened = 0
  }

  /** How long the next handshake may take, in milliseconds. */
  get handshakeMs(): number {
    return Math.min(FIRST_HANDSHAKE_MS * 2 ** this.#handshakes, LONGEST_HANDSHAKE_MS)
  }

  /** Whether the service is to be asked for the reason before the next handshake. */
  get shouldAsk(): boolean {
    return this.#unopened >= ASK_AFTER_UNOPENED
  }
}
