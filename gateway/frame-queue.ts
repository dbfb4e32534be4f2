/**
 * The messages of a connection that leave in one write. A system call for each frame is the largest single cost of a
 * gateway (docs/performance.md), so what one turn of the event loop has for a client goes out together at its end, and
 * an ack that nobody is in a hurry for waits a moment for a write to share.
 */

/** Longest wait of what is in no hurry; as long as TCP holds its own acknowledgements back. */
const LATE_MS = 40
/** A node that writes anyway takes what is due along; a timer of its own would wake it up for that alone. */
const SLACK_MS = 10

interface Late {
  queue: FrameQueue
  due: number
}

/** When the queues of a node are written. */
export class WriteSchedule {
  #soon: FrameQueue[] = []
  /** In the order of their times: all wait equally long. */
  #late: Late[] = []
  #timer: NodeJS.Timeout | undefined

  /** The queue is written when the code that runs now is done. */
  soon(queue: FrameQueue): void {
    if (this.#soon.push(queue) === 1) queueMicrotask(() => this.#flushSoon())
  }

  /** The queue is written within 50 ms, unless something else has it written before. */
  late(queue: FrameQueue): void {
    this.#late.push({ queue, due: performance.now() + LATE_MS })
    this.#timer ??= setTimeout(() => this.#onTimer(), LATE_MS + SLACK_MS)
  }

  #flushSoon(): void {
    const queues = this.#soon
    this.#soon = []
    for (const queue of queues) queue.flush()
    if (this.#late.length > 0) this.#flushDue(performance.now())
  }

  #onTimer(): void {
    const now = performance.now()
    this.#flushDue(now)
    const [first] = this.#late
    this.#timer =
      first === undefined ? undefined : setTimeout(() => this.#onTimer(), Math.max(1, first.due + SLACK_MS - now))
  }

  #flushDue(now: number): void {
    const next = this.#late.findIndex(({ due }) => due > now)
    for (const { queue } of this.#late.splice(0, next < 0 ? this.#late.length : next)) queue.flush()
  }
}

export class FrameQueue {
  readonly #schedule: WriteSchedule
  readonly #write: (texts: string[]) => void
  #texts: string[] = []
  #isLate = false
  #isSoon = false
  /** Characters that wait. */
  length = 0

  /** `write` gets what waits, in order, at least one text. */
  constructor(schedule: WriteSchedule, write: (texts: string[]) => void) {
    this.#schedule = schedule
    this.#write = write
  }

  /** Adds a text that leaves at the end of the turn, and with it all that waits. */
  push(text: string): void {
    this.#add(text)
    if (this.#isSoon) return
    this.#isSoon = true
    this.#schedule.soon(this)
  }

  /** Adds a text that may wait for another to leave with. */
  pushLate(text: string): void {
    this.#add(text)
    if (this.#isSoon || this.#isLate) return
    this.#isLate = true
    this.#schedule.late(this)
  }

  #add(text: string): void {
    this.#texts.push(text)
    this.length += text.length
  }

  /** Writes what waits, now: before a ping, whose pong confirms it, and before a close. */
  flush(): void {
    this.#isLate = false
    this.#isSoon = false
    if (this.#texts.length === 0) return
    const texts = this.#texts
    this.#texts = []
    this.length = 0
    this.#write(texts)
  }

  /** Throws away what waits. */
  clear(): void {
    this.#texts = []
    this.length = 0
  }
}
