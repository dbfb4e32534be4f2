// Calls under load: both sides of each connected, then messages at a fixed rate or as many as go through.
import { Connection, type LoadState } from './connection.ts'
import type { Dialect, Party } from './dialects.ts'
import { pace } from './pacer.ts'
import { type Counts, LatencyWindow } from './tally.ts'
import { sleep, until } from './waiting.ts'

/** Handshakes under way at once while a load connects. */
const CONNECTING_AT_ONCE = 32
const CONNECT_DEADLINE_MS = 30_000
const FIRST_MESSAGE_DEADLINE_MS = 10_000
/** What is under way when a window ends gets this long to arrive; what is not there by then counts as lost. */
const DRAIN_DEADLINE_MS = 8_000
const CLOSE_DEADLINE_MS = 5_000
/** A message that was sent before the other side's room was ready is repeated after this. */
const FIRST_MESSAGE_AGAIN_MS = 200

/** The two sides of a call. */
export type Pair = [Party, Party]

/** What was measured between two looks at the servers. */
export interface WindowResult {
  seconds: number
  delivered: number
  /** Milliseconds from the write at the sender to the read at its peer, of what was sent in the window. */
  p50: number
  p99: number
}

export class Load {
  readonly connections: Connection[]
  readonly #state: LoadState
  /** Messages from before both sides were known to be there. */
  #spent = 0

  private constructor(connections: Connection[], state: LoadState) {
    this.connections = connections
    this.#state = state
  }

  /** Connects both sides of every call and lets a message pass each way. @throws where anything is refused or lost */
  static async connect(dialect: Dialect, pairs: Pair[]): Promise<Load> {
    const state = createState(dialect)
    const connections: Connection[] = []
    const load = new Load(connections, state)
    try {
      for (let at = 0; at < pairs.length; at += CONNECTING_AT_ONCE) {
        const batch = pairs.slice(at, at + CONNECTING_AT_ONCE).flatMap(([caller, callee]) => {
          const [a, b] = [new Connection(caller, state), new Connection(callee, state)]
          a.partner = b
          b.partner = a
          return [a, b]
        })
        connections.push(...batch)
        await within(CONNECT_DEADLINE_MS, 'connecting', Promise.all(batch.map((one) => one.reached('joined'))))
      }
      await load.#passFirstMessages()
      return load
    } catch (error) {
      load.destroy()
      throw error
    }
  }

  /** Adapters subscribe in their own time: until a first message has arrived, more are sent. */
  async #passFirstMessages(): Promise<void> {
    const heard = new Set<Connection>()
    this.#state.onDelivered = (receiver) => heard.add(receiver)
    const deadline = performance.now() + FIRST_MESSAGE_DEADLINE_MS
    while (heard.size < this.connections.length) {
      if (performance.now() > deadline) throw new Error(`first messages did not arrive: ${this.#state.firstError}`)
      for (const receiver of this.connections) if (!heard.has(receiver)) receiver.partner?.send()
      await until(FIRST_MESSAGE_AGAIN_MS, () => heard.size === this.connections.length)
    }
    this.#state.onDelivered = () => {}
    await until(FIRST_MESSAGE_AGAIN_MS, () => this.#underway() === 0)
    this.#spent = this.#underway()
  }

  #underway(): number {
    const { sent, delivered, refused } = this.#state.counts
    return sent - delivered - refused - this.#spent
  }

  get counts(): Counts & { lost: number; unacknowledged: number } {
    const { counts } = this.#state
    return {
      ...counts,
      lost: Math.max(0, this.#underway()),
      unacknowledged: counts.sent - counts.refused - counts.acknowledged,
    }
  }

  get firstError(): string | undefined {
    return this.#state.firstError
  }

  /** Sends at a fixed total rate, by connections taken at random; `look` is called when the window begins and ends. */
  async open(
    ratePerSecond: number,
    ms: number,
    seed: number,
    look: (edge: 'begin' | 'end') => void,
  ): Promise<WindowResult> {
    const { window, counts } = this.#state
    const random = seededRandom(seed)
    window.begin(performance.now())
    const startAt = performance.now()
    const before = counts.delivered
    look('begin')
    await pace({ ratePerSecond, ms, seed }, () => {
      this.connections[Math.floor(random() * this.connections.length)]?.send()
    })
    window.end(performance.now())
    look('end')
    return this.#finish(startAt, before)
  }

  /** Keeps one message of each connection under way, or of the first few: the next leaves when its peer has got the last. */
  async closed(
    ms: number,
    look: (edge: 'begin' | 'end') => void,
    senders = this.connections.length,
  ): Promise<WindowResult> {
    const { window, counts } = this.#state
    this.#state.onDelivered = (receiver) => receiver.partner?.send()
    window.begin(performance.now())
    const startAt = performance.now()
    const before = counts.delivered
    look('begin')
    for (const connection of this.connections.slice(0, senders)) connection.send()
    await sleep(ms)
    this.#state.onDelivered = () => {}
    window.end(performance.now())
    look('end')
    return this.#finish(startAt, before)
  }

  async #finish(startAt: number, deliveredBefore: number): Promise<WindowResult> {
    const { window, counts } = this.#state
    const seconds = (performance.now() - startAt) / 1000
    const delivered = counts.delivered - deliveredBefore
    await until(DRAIN_DEADLINE_MS, () => this.#underway() <= 0)
    const [p50 = Number.NaN, p99 = Number.NaN] = window.quantiles(0.5, 0.99)
    return { seconds, delivered, p50, p99 }
  }

  /** Waits for outstanding acks where there are any, then closes everything. */
  async close(): Promise<void> {
    const { counts } = this.#state
    if (counts.acknowledged > 0)
      await until(DRAIN_DEADLINE_MS, () => counts.acknowledged + counts.refused >= counts.sent)
    for (const connection of this.connections) connection.close()
    const closed = Promise.all(this.connections.map((connection) => connection.reached('closed')))
    await Promise.race([closed, sleep(CLOSE_DEADLINE_MS)])
    this.destroy()
  }

  destroy(): void {
    for (const connection of this.connections) connection.destroy()
  }
}

export function createState(dialect: Dialect, joins = true): LoadState {
  const counts = { sent: 0, delivered: 0, acknowledged: 0, duplicated: 0, reordered: 0, refused: 0, errors: 0 }
  return { dialect, joins, counts, window: new LatencyWindow(), onDelivered: () => {}, firstError: undefined }
}

async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms / 1000} s`)), ms)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** A linear congruential generator (Numerical Recipes): the same choices in every run. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
