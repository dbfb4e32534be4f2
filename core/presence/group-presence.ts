/** Whether a user is connected in any group. User channels are in the first, call connections in that of the call. */
import type { Connections } from './connections.ts'

export class GroupPresence {
  readonly #all: Pick<Connections, 'isConnected'>[]

  constructor(all: Pick<Connections, 'isConnected'>[]) {
    this.#all = all
  }

  /** Rejects where nobody knows of a connection and somebody cannot be asked. */
  async isConnected(userId: string): Promise<boolean> {
    const answers = await Promise.allSettled(this.#all.map((connections) => connections.isConnected(userId)))
    if (answers.some((answer) => answer.status === 'fulfilled' && answer.value)) return true
    for (const answer of answers) if (answer.status === 'rejected') throw answer.reason
    return false
  }
}
