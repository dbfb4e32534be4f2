/** What a peer received, in order, and who waits for what. */
import type { ServerMessage } from '../../core/protocol/signaling.ts'
import { patient } from './patience.ts'

/** Additive fields that any server message may carry. */
export type AnyMessage = ServerMessage & { seq?: string }
export type MessageType = ServerMessage['type']
export type MessageOf<T extends MessageType> = Extract<ServerMessage, { type: T }> & { seq?: string }

/** How a connection ended. Socket.IO knows no close codes. */
export interface Closing {
  code: number | undefined
  reason: string
}

interface Waiter {
  wanted: (message: AnyMessage) => boolean
  resolve: (message: AnyMessage) => void
  fail: (why: string) => void
}

/** On a calm machine; a message that comes is handed over at once. */
const NEXT_DEADLINE_MS = 8_000

export class Inbox {
  /** Everything that ever came, taken or not. */
  readonly received: AnyMessage[] = []
  readonly #owner: string
  readonly #waiters = new Set<Waiter>()
  #untaken: AnyMessage[] = []
  #closing: Closing | undefined

  constructor(owner: string) {
    this.#owner = owner
  }

  push(message: AnyMessage): void {
    this.received.push(message)
    for (const waiter of this.#waiters) {
      if (!waiter.wanted(message)) continue
      this.#waiters.delete(waiter)
      waiter.resolve(message)
      return
    }
    this.#untaken.push(message)
  }

  /** No more messages will come: whoever waits is told so. */
  close(closing: Closing): void {
    this.#closing = closing
    for (const waiter of this.#waiters) waiter.fail(this.#closedWords(closing))
    this.#waiters.clear()
  }

  /**
   * Takes the oldest message that is wanted and that nobody took yet, waiting for it if need be.
   * @param calmMs how long it may take on a calm machine
   * @throws after `calmMs` times {@link PATIENCE}, or when the connection has ended, naming what came instead
   */
  async take(
    what: string,
    wanted: (message: AnyMessage) => boolean,
    calmMs: number = NEXT_DEADLINE_MS,
  ): Promise<AnyMessage> {
    const timeoutMs = patient(calmMs)
    const index = this.#untaken.findIndex(wanted)
    const found = this.#untaken[index]
    if (found !== undefined) {
      this.#untaken.splice(index, 1)
      return found
    }
    if (this.#closing) throw new Error(this.#absence(what, this.#closedWords(this.#closing)))
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<AnyMessage>((resolve, reject) => {
        const fail = (why: string) => reject(new Error(this.#absence(what, why)))
        const waiter = { wanted, resolve, fail }
        this.#waiters.add(waiter)
        timer = setTimeout(() => {
          this.#waiters.delete(waiter)
          fail(`within ${timeoutMs} ms`)
        }, timeoutMs)
      })
    } finally {
      clearTimeout(timer)
    }
  }

  /** Forgets what came so far, for whoever takes; `received` keeps it. */
  skip(): void {
    this.#untaken = []
  }

  #closedWords(closing: Closing): string {
    return `before the connection ended (${[closing.code, closing.reason].filter(Boolean).join(' ')})`
  }

  #absence(what: string, why: string): string {
    const last = this.received.slice(-12).map((message) => JSON.stringify(message).slice(0, 240))
    const count = this.received.length
    return `${this.#owner} got no ${what} ${why}. It received ${count} in all${count === 0 ? '' : `, last:\n  ${last.join('\n  ')}`}`
  }
}
