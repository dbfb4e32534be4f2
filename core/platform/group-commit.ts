/**
 * What is asked for while a request is under way goes out together with the next: one round trip for all. A quiet
 * process asks at once; a busy one asks as often as the other side answers, or as seldom as it was told to.
 */

interface Waiting<Item, Result> {
  item: Item
  resolve: (result: Result) => void
  reject: (error: unknown) => void
}

export class GroupCommit<Item, Result> {
  readonly #most: number
  readonly #commit: (items: Item[]) => Promise<Result[]>
  readonly #spacingMs: number
  #queue: Waiting<Item, Result>[] = []
  #underWay = false

  /**
   * `commit` gets `most` items at most and resolves with a result for each, in order. The next one begins when it is
   * done, and no sooner than `spacingMs` after it began.
   */
  constructor(most: number, commit: (items: Item[]) => Promise<Result[]>, spacingMs = 0) {
    this.#most = most
    this.#commit = commit
    this.#spacingMs = spacingMs
  }

  /** Resolves with the item's result. @throws what its commit threw */
  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ item, resolve, reject })
      if (!this.#underWay) {
        this.#underWay = true
        // What comes in the same turn goes along.
        setImmediate(() => void this.#run())
      }
    })
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const nextAt = performance.now() + this.#spacingMs
      const batch = this.#queue.splice(0, this.#most)
      try {
        const results = await this.#commit(batch.map(({ item }) => item))
        for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
      const restMs = nextAt - performance.now()
      if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs))
    }
    this.#underWay = false
  }
}
