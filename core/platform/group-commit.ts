/**
 * What is asked for while a request is under way goes out together with the next: one round trip for all. A quiet
 * process asks at once; a busy one asks as often as the other side answers, or as seldom as it was told to.
 */

interface Waiting<Item, Result> {
  item: Item
  resolve: (result: Result) => void
  reject: (error: unknown) => void
}

export interface Pace {
  /** Least time from the beginning of one commit to that of the next, ms. */
  spacingMs?: number
  /** Commits that may be under way at once: with more than one, a commit that hangs holds up no others. */
  abreast?: number
}

export class GroupCommit<Item, Result> {
  readonly #most: number
  readonly #commit: (items: Item[]) => Promise<Result[]>
  readonly #spacingMs: number
  readonly #abreast: number
  #queue: Waiting<Item, Result>[] = []
  #isRunning = false
  #underWay = 0
  /** Wakes the run that waits for a commit to be done. */
  #wake: (() => void) | undefined

  /** `commit` gets `most` items at most and resolves with a result for each, in order; one is under way at a time. */
  constructor(most: number, commit: (items: Item[]) => Promise<Result[]>, { spacingMs = 0, abreast = 1 }: Pace = {}) {
    this.#most = most
    this.#commit = commit
    this.#spacingMs = spacingMs
    this.#abreast = abreast
  }

  /** Resolves with the item's result. @throws what its commit threw */
  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ item, resolve, reject })
      if (!this.#isRunning) {
        this.#isRunning = true
        // What comes in the same turn goes along.
        setImmediate(() => void this.#run())
      }
    })
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const nextAt = performance.now() + this.#spacingMs
      void this.#send(this.#queue.splice(0, this.#most))
      if (this.#underWay === this.#abreast) await new Promise<void>((resolve) => (this.#wake = resolve))
      // Node counts a timer from the beginning of the turn: after a long turn it fires early.
      for (let restMs = nextAt - performance.now(); restMs > 0; restMs = nextAt - performance.now())
        await new Promise((resolve) => setTimeout(resolve, restMs))
    }
    this.#isRunning = false
  }

  async #send(batch: Waiting<Item, Result>[]): Promise<void> {
    this.#underWay += 1
    try {
      const results = await this.#commit(batch.map(({ item }) => item))
      for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result)
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
    this.#underWay -= 1
    this.#wake?.()
  }
}
