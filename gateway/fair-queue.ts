/**
 * Messages that wait for a flush, a lane for each call. A flush takes from the lanes in turn, so that a call with a
 * thousand large messages delays another call's candidate by one turn, not by all of them. A call's own messages keep
 * their order.
 */

/** What all calls together may have waiting, before senders are told SERVICE_UNAVAILABLE at once. */
const MAX = { messages: 20_000, bytes: 32 * 1024 * 1024 }
/** From here on room is kept for calls that have little waiting. */
const CROWDED = { messages: 15_000, bytes: 24 * 1024 * 1024 }
const LITTLE_BYTES = 128 * 1024
/** What one call may have waiting: both users at 100 messages a second for the 20 s that a message may be held. */
const CALL_MAX_BYTES = 6 * 1024 * 1024
/** What a lane gives in its turn, or one message: some forty candidates. */
const TURN_BYTES = 64 * 1024

export interface Queued {
  readonly callId: string
  /** Memory that it takes. */
  readonly bytes: number
}

interface Lane<T> {
  waiting: T[]
  /** Reserved: waiting here, or taken and not released. */
  bytes: number
  /** Stands in line, because something waits. */
  isInLine: boolean
}

/** Lanes of calls that have nothing reserved are kept for their next message, and looked for when there are so many more. */
const SWEEP_EVERY = 1024

export class FairQueue<T extends Queued> {
  /** Of all calls with something reserved, and some without. */
  readonly #lanes = new Map<string, Lane<T>>()
  #sweepAt = SWEEP_EVERY
  /** Lanes with something waiting; the next to be served comes first. */
  #line: Lane<T>[] = []
  #waiting = 0
  #reserved = 0
  #bytes = 0

  /** Messages that wait. */
  get size(): number {
    return this.#waiting
  }

  /** Takes room for a message that a call adds; false where there is none. */
  reserve(callId: string, bytes: number): boolean {
    const lane = this.#lanes.get(callId)
    const own = (lane?.bytes ?? 0) + bytes
    const total = this.#bytes + bytes
    if (own > CALL_MAX_BYTES || total > MAX.bytes || this.#reserved >= MAX.messages) return false
    const isCrowded = total > CROWDED.bytes || this.#reserved >= CROWDED.messages
    if (isCrowded && own > LITTLE_BYTES) return false
    if (lane === undefined) this.#open(callId, bytes)
    else lane.bytes = own
    this.#bytes = total
    this.#reserved += 1
    return true
  }

  /** Gives room back, once for each {@link reserve}. */
  release(callId: string, bytes: number): void {
    const lane = this.#lanes.get(callId)
    if (lane === undefined) return
    lane.bytes -= bytes
    this.#bytes -= bytes
    this.#reserved -= 1
  }

  #open(callId: string, bytes: number): void {
    if (this.#lanes.size >= this.#sweepAt) {
      for (const [id, lane] of this.#lanes) if (lane.bytes === 0) this.#lanes.delete(id)
      this.#sweepAt = this.#lanes.size + SWEEP_EVERY
    }
    this.#lanes.set(callId, { waiting: [], bytes, isInLine: false })
  }

  /** Adds a message whose room is reserved, behind those of its call. */
  push(item: T): void {
    const lane = this.#laneOf(item)
    lane.waiting.push(item)
    this.#standInLine(lane)
    this.#waiting += 1
  }

  /** Puts back what was taken, in front of what its calls have waiting. */
  putBack(items: readonly T[]): void {
    for (const item of items.toReversed()) {
      const lane = this.#laneOf(item)
      lane.waiting.unshift(item)
      this.#standInLine(lane)
    }
    this.#waiting += items.length
  }

  /** Takes up to so many messages and, from the second on, bytes; lanes in turn. */
  take(most: number, mostBytes: number): T[] {
    const taken: T[] = []
    let bytes = 0
    const line = this.#line
    let served = 0
    while (served < line.length && taken.length < most && (bytes < mostBytes || served === 0)) {
      const lane = line[served] as Lane<T>
      served += 1
      const { waiting } = lane
      const end = Math.min(bytes + TURN_BYTES, mostBytes)
      let count = 0
      do {
        const item = waiting[count] as T
        taken.push(item)
        bytes += item.bytes
        count += 1
      } while (count < waiting.length && taken.length < most && bytes < end)
      if (count === waiting.length) {
        lane.waiting = []
        lane.isInLine = false
      } else {
        waiting.splice(0, count)
        line.push(lane)
      }
    }
    this.#line = served === line.length ? [] : line.slice(served)
    this.#waiting -= taken.length
    return taken
  }

  /** Takes out what `isWanted` says, in the order of each call. */
  extract(isWanted: (item: T) => boolean): T[] {
    const extracted: T[] = []
    for (const lane of this.#line) {
      const kept: T[] = []
      for (const item of lane.waiting) (isWanted(item) ? extracted : kept).push(item)
      lane.waiting = kept
      lane.isInLine = kept.length > 0
    }
    this.#line = this.#line.filter(({ isInLine }) => isInLine)
    this.#waiting -= extracted.length
    return extracted
  }

  /** Everything that waits, in the order of each call. */
  *[Symbol.iterator](): Iterator<T> {
    for (const lane of this.#line) yield* lane.waiting
  }

  #standInLine(lane: Lane<T>): void {
    if (lane.isInLine) return
    lane.isInLine = true
    this.#line.push(lane)
  }

  #laneOf({ callId }: T): Lane<T> {
    const lane = this.#lanes.get(callId)
    if (lane === undefined) throw new Error('A message was queued without room')
    return lane
  }
}
