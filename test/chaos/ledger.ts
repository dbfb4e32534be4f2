/**
 * The books of a run: every message that was sent, acknowledged and delivered, kept outside the product by clients that
 * were written by hand. The verdict is made from the books alone; the timeline is the evidence that goes with it.
 */
import type { Side } from '../../core/rooms/room.ts'
import { type Cause, type Spread, type Trip, Trips } from './trips.ts'

/** One client's messages to the other one of its call, counted from 1. */
interface Direction {
  sent: number
  /** The place in the log that the sender was told. */
  acked: Map<number, string>
  /** Refused with SERVICE_UNAVAILABLE at least once: the sender knew that it was not kept and sent it again. */
  refused: Set<number>
  /** The places that each message came with, as often as it came. */
  delivered: Map<number, string[]>
  highest: number
  /** Came for the first time after a later one had come. */
  reordered: number[]
  /** Came after a later one, but its sender had been told that it was not kept. */
  lateAfterRefusal: number[]
  /** Came again after the recipient was told that something may be missing. */
  doubledAfterGap: Set<number>
  /** The recipient was told `recovered: false`. */
  toldOfGap: number
}

/** What a recipient reads off a message. */
export interface Delivered {
  /** The call and the side that its text names. */
  sentIn: string
  sender: string
  number: number
  seq: string
}

interface Note {
  at: number
  side: Side | '-'
  what: string
}

export interface CallBook {
  id: string
  /** What the two sides are, for people. */
  label: string
  from: Record<Side, Direction>
  notes: Note[]
}

/** How many of something went wrong, and what went on; all counts are over the whole run. */
export interface Verdict {
  calls: number
  sent: number
  acked: number
  delivered: number
  /** Acknowledged, and never delivered. */
  lost: number
  /** Sent, and at the end not acknowledged although its sender went on sending it. */
  unsettled: number
  doubled: number
  doubledAfterGap: number
  doubledAfterDirect: number
  /** Delivered before they were kept, to peers on the sender's node. */
  direct: number
  reordered: number
  lateAfterRefusal: number
  strangers: number
  refused: number
  gapsTold: number
  reconnects: Record<Cause, Spread>
  faults: number
  errors: Record<string, number>
  userLeft: number
  /** How connections and handshakes ended, in the transport's words. */
  endings: Record<string, number>
}

/** Notes kept of each call; the oldest go first. */
const NOTES_KEPT = 600
/** Calls shown as evidence. */
const SHOWN = 3

const otherSide = (side: Side): Side => (side === 'a' ? 'b' : 'a')

const emptyDirection = (): Direction => ({
  sent: 0,
  acked: new Map(),
  refused: new Set(),
  delivered: new Map(),
  highest: 0,
  reordered: [],
  lateAfterRefusal: [],
  doubledAfterGap: new Set(),
  toldOfGap: 0,
})

export class Ledger {
  readonly #books = new Map<string, CallBook>()
  readonly #startedAt = performance.now()
  readonly #faults: Note[] = []
  readonly trips = new Trips()
  readonly #errors: Record<string, number> = {}
  readonly #strangers: string[] = []
  readonly #endings: Record<string, number> = {}
  #userLeft = 0

  open(callId: string, label: string): void {
    this.#books.set(callId, { id: callId, label, from: { a: emptyDirection(), b: emptyDirection() }, notes: [] })
  }

  #book(callId: string): CallBook {
    const book = this.#books.get(callId)
    if (book === undefined) throw new Error(`No book was opened for ${callId}`)
    return book
  }

  /** Anything worth seeing beside a fault in this call: connections that came and went. */
  note(callId: string, side: Side, what: string): void {
    const { notes } = this.#book(callId)
    notes.push({ at: this.#now(), side, what })
    if (notes.length > NOTES_KEPT) notes.shift()
  }

  /** Something was done to the cluster. */
  fault(what: string): void {
    this.#faults.push({ at: this.#now(), side: '-', what })
  }

  sent(callId: string, side: Side, number: number, again: boolean): void {
    const direction = this.#book(callId).from[side]
    direction.sent = Math.max(direction.sent, number)
    this.note(callId, side, `${again ? 'sent again' : 'sent'} #${number}`)
  }

  acked(callId: string, side: Side, number: number, seq: string): void {
    this.#book(callId).from[side].acked.set(number, seq)
    this.note(callId, side, `ack #${number} ${seq}`)
  }

  refused(callId: string, side: Side, number: number): void {
    this.#book(callId).from[side].refused.add(number)
    this.note(callId, side, `refused #${number}`)
  }

  /** `side` received a message that says it comes from `sender` in `sentIn` with this number. */
  delivered(callId: string, side: Side, message: Delivered): void {
    const { sentIn, sender, number, seq } = message
    const sentBy = otherSide(side)
    if (sentIn !== callId || sender !== sentBy) {
      this.#strangers.push(`${callId} ${side} got #${number} of ${sentIn} ${sender}`)
      return
    }
    const direction = this.#book(callId).from[sentBy]
    const before = direction.delivered.get(number)
    let remark = ''
    if (before !== undefined) {
      remark = ' DOUBLED'
      before.push(seq)
      if (direction.toldOfGap > 0) direction.doubledAfterGap.add(number)
    } else {
      direction.delivered.set(number, [seq])
      if (number < direction.highest) {
        remark = ' LATE'
        if (direction.refused.has(number)) direction.lateAfterRefusal.push(number)
        else direction.reordered.push(number)
      }
    }
    direction.highest = Math.max(direction.highest, number)
    this.note(callId, side, `got #${number} ${seq}${remark}`)
  }

  /** `side` was told `recovered: false`. */
  gapTold(callId: string, side: Side): void {
    this.#book(callId).from[otherSide(side)].toldOfGap += 1
    this.note(callId, side, 'told recovered: false')
  }

  /** A connection, or the attempt at one, is over. */
  ended(callId: string, side: Side, why: string): void {
    const kind = kindOf(why)
    this.#endings[kind] = (this.#endings[kind] ?? 0) + 1
    this.note(callId, side, why)
  }

  /** A client is back in its room now. */
  reconnected(trip: Trip): void {
    this.trips.add(trip, performance.now())
  }

  error(callId: string, side: Side, code: string): void {
    this.#errors[code] = (this.#errors[code] ?? 0) + 1
    this.note(callId, side, `error ${code}`)
  }

  userLeft(callId: string, side: Side): void {
    this.#userLeft += 1
    this.note(callId, side, 'user-left of the other')
  }

  /** Everything sent was acknowledged and delivered. */
  get isSettled(): boolean {
    for (const { from } of this.#books.values())
      for (const { sent, acked, delivered } of [from.a, from.b])
        if (acked.size < sent || delivered.size < sent) return false
    return true
  }

  /** Deliveries so far, again and again included: whether anything still moves. */
  get movement(): number {
    let sum = 0
    for (const { from } of this.#books.values())
      for (const { acked, delivered } of [from.a, from.b]) sum += acked.size + delivered.size
    return sum
  }

  verdict(): Verdict {
    const directions = [...this.#books.values()].flatMap(({ from }) => [from.a, from.b])
    const sum = (count: (direction: Direction) => number) => directions.reduce((total, one) => total + count(one), 0)
    return {
      calls: this.#books.size,
      sent: sum(({ sent }) => sent),
      acked: sum(({ acked }) => acked.size),
      delivered: sum(({ delivered }) => delivered.size),
      lost: sum((direction) => lostOf(direction).length),
      unsettled: sum((direction) => unsettledOf(direction).length),
      doubled: sum((direction) => doublesOf(direction).plain.length),
      doubledAfterGap: sum(({ doubledAfterGap }) => doubledAfterGap.size),
      doubledAfterDirect: sum((direction) => doublesOf(direction).afterDirect.length),
      direct: sum(directOf),
      reordered: sum(({ reordered }) => reordered.length),
      lateAfterRefusal: sum(({ lateAfterRefusal }) => lateAfterRefusal.length),
      strangers: this.#strangers.length,
      refused: sum(({ refused }) => refused.size),
      gapsTold: sum(({ toldOfGap }) => toldOfGap),
      reconnects: { cut: this.trips.spread('cut'), 'gave up': this.trips.spread('gave up') },
      faults: this.#faults.length,
      errors: { ...this.#errors },
      userLeft: this.#userLeft,
      endings: { ...this.#endings },
    }
  }

  /** What shows that something went wrong: calls, ids and their timelines; empty where nothing did. */
  evidence(): string {
    const bad = [...this.#books.values()].filter(({ from }) => isBad(from.a) || isBad(from.b))
    const lines = this.#strangers.slice(0, SHOWN).map((stranger) => `stranger: ${stranger}`)
    for (const book of bad.slice(0, SHOWN)) lines.push(...this.#evidenceOf(book))
    if (bad.length > SHOWN) lines.push(`… and ${bad.length - SHOWN} more calls`)
    return lines.join('\n')
  }

  #evidenceOf({ id, label, from, notes }: CallBook): string[] {
    const lines = [`call ${id} (${label})`]
    const wanted = new Set<string>()
    for (const side of ['a', 'b'] as const) {
      const direction = from[side]
      const faults = {
        lost: lostOf(direction),
        unsettled: unsettledOf(direction),
        doubled: doublesOf(direction).plain,
        reordered: direction.reordered,
      }
      for (const what of ['lost', 'unsettled', 'doubled', 'reordered'] as const) {
        const numbers = faults[what]
        if (numbers.length === 0) continue
        lines.push(
          `  ${what} from ${side}: ${numbers
            .slice(0, 20)
            .map((number) => `#${number}`)
            .join(' ')}`,
        )
        for (const number of numbers.slice(0, 5))
          wanted
            .add(`#${number}`)
            .add(`#${number - 1}`)
            .add(`#${number + 1}`)
      }
    }
    const telling = notes.filter(({ what }) => {
      const number = /#\d+/.exec(what)?.[0]
      return number === undefined || wanted.has(number)
    })
    const first = telling.find(({ what }) => what.includes('#'))?.at ?? 0
    const relevant = [...telling, ...this.#faults].filter(({ at }) => at >= first - 3000).sort((x, y) => x.at - y.at)
    for (const { at, side, what } of relevant.slice(0, 120))
      lines.push(`  ${(at / 1000).toFixed(3).padStart(8)} ${side} ${side === '-' ? '=== ' : ''}${what}`)
    return lines
  }

  #now(): number {
    return performance.now() - this.#startedAt
  }
}

/** A refusal without what differs each time. */
export function kindOf(why: string): string {
  return why.replace(/\{.*"code":"(\w+)".*\}/, '$1').slice(0, 60)
}

function lostOf({ acked, delivered }: Direction): number[] {
  return [...acked.keys()].filter((number) => !delivered.has(number))
}

function unsettledOf({ sent, acked }: Direction): number[] {
  const numbers = Array.from({ length: sent }, (_, index) => index + 1)
  return numbers.filter((number) => !acked.has(number))
}

/** Came with a place that is not the one its sender was told: it was handed over before the log had it. */
function cameDirectly({ acked }: Direction, number: number, seq: string | undefined): boolean {
  return acked.has(number) && seq !== acked.get(number)
}

function directOf(direction: Direction): number {
  return [...direction.delivered].filter(([number, [first]]) => cameDirectly(direction, number, first)).length
}

/**
 * What came more than once. Excused is, once, the numbered message after the unnumbered one (its `id` tells), and all
 * that comes after the recipient was told that something may be missing.
 */
function doublesOf(direction: Direction): { plain: number[]; afterDirect: number[] } {
  const doubles = { plain: [] as number[], afterDirect: [] as number[] }
  for (const [number, [first, second, third]] of direction.delivered) {
    if (second === undefined || direction.doubledAfterGap.has(number)) continue
    const excused = cameDirectly(direction, number, first) && second === direction.acked.get(number)
    if (excused && third === undefined) doubles.afterDirect.push(number)
    else doubles.plain.push(number)
  }
  return doubles
}

function isBad(direction: Direction): boolean {
  const faults = [lostOf(direction), unsettledOf(direction), doublesOf(direction).plain, direction.reordered]
  return faults.some((numbers) => numbers.length > 0)
}
