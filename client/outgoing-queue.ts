/** What was sent and is not acknowledged: the sender's to send again, in order, with the old ids. */

/** Distributes over a union of messages. */
type WithId<M> = M extends unknown ? M & { id: string } : never

export class OutgoingQueue<M extends object> {
  readonly #prefix: string
  readonly #unacked = new Map<string, WithId<M>>()
  #count = 0

  /** Ids must never repeat for a device, also not after it has started anew: hence a random prefix. */
  constructor(prefix: string = crypto.randomUUID().slice(0, 8)) {
    this.#prefix = prefix
  }

  /** Gives the message an id and keeps it until it is acknowledged or refused. */
  add(message: M): WithId<M> {
    this.#count += 1
    const numbered = { ...message, id: `${this.#prefix}-${this.#count}` } as unknown as WithId<M>
    this.#unacked.set(numbered.id, numbered)
    return numbered
  }

  /** The message is kept by the service, or refused for good: it is not sent again. Returns it where it was waiting. */
  settle(id: unknown): WithId<M> | undefined {
    if (typeof id !== 'string') return undefined
    const message = this.#unacked.get(id)
    this.#unacked.delete(id)
    return message
  }

  has(id: unknown): boolean {
    return typeof id === 'string' && this.#unacked.has(id)
  }

  /** In the order in which they were added. */
  get unacked(): WithId<M>[] {
    return [...this.#unacked.values()]
  }
}
