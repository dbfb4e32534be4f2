/**
 * Drops what was said in calls that are over: an ended call would leave up to 1 MiB in Redis for two minutes, and a user may
 * end many in that time. Every node does it that hears of the end, since nobody may be connected to the call by then; what
 * no node hears of expires by itself.
 */
import type { RoomStore } from '../core/rooms/room-store.ts'

/** By then what was on its way when the call ended is in the log, and no node takes more. */
const DELAY_MS = 1000
/** Calls of one command: bounds the time that Redis serves nobody else. */
const BATCH = 200

export class FinishedCalls {
  readonly #store: Pick<RoomStore, 'dropMessages'>
  readonly #ids = new Set<string>()
  #timer: NodeJS.Timeout | undefined

  constructor(store: Pick<RoomStore, 'dropMessages'>) {
    this.#store = store
  }

  /** The call is over. */
  note(callId: string): void {
    this.#ids.add(callId)
    this.#timer ??= setTimeout(() => void this.#drop(), DELAY_MS).unref()
  }

  async #drop(): Promise<void> {
    this.#timer = undefined
    const ids = [...this.#ids]
    this.#ids.clear()
    for (let at = 0; at < ids.length; at += BATCH)
      await this.#store.dropMessages(ids.slice(at, at + BATCH)).catch(() => {
        // Redis is away: the log expires two minutes after its last message.
      })
  }
}
