/**
 * Hands numbered entries to this node's peers, each once and in order. An entry that does not follow the one before
 * holds its recipient back until the log was read: a hole is filled from the log or told, never passed over.
 */
import type { Logger } from '../core/platform/logger.ts'
import { CLOSE } from '../core/protocol/signaling.ts'
import { type Entry, formatSeq, type Side } from '../core/rooms/room.ts'
import type { RoomStore } from '../core/rooms/room-store.ts'
import type { GatewayMetrics } from './gateway-metrics.ts'
import type { LocalCall } from './local-call.ts'
import type { Peer } from './peer.ts'
import { originOf, unpackBody } from './relayed-body.ts'

/** Pause before the log is read again after Redis did not answer. */
const READ_AGAIN_MS = 100
/** Entries held for one peer before it is cut off; it resumes from the log. Twice what the log keeps of a call. */
const HELD_MAX = 512

/** What becomes of a message that was handed over without a number. */
export interface Unnumbered {
  numbered(entry: Entry): void
  failed(): void
}

/** What a log holds for a peer. */
interface Replay {
  epoch: string
  /** Where the reading began: what a new epoch has up to there was delivered before. */
  from: number
  /** The last number for the peer's side: with the entries, everything up to it is settled. */
  last: number
  entries: Entry[]
  recovered?: boolean
}

export class Delivery {
  readonly #store: RoomStore
  readonly #log: Logger
  readonly #metrics: GatewayMetrics

  constructor(store: RoomStore, log: Logger, metrics: GatewayMetrics) {
    this.#store = store
    this.#log = log
    this.#metrics = metrics
  }

  /** Gives an entry to every connection of its recipient on this node. */
  deliver(call: LocalCall, entry: Entry): void {
    for (const peer of call.peers)
      if (peer.side === entry.to && peer.roomState !== 'outside') this.#offer(call, peer, entry)
  }

  /**
   * Hands a message over before it has a number, while Redis is away: to the recipients on this node that miss nothing
   * before it, and to nobody where the message may not be new. Whoever asked tells what became of the message, so that it counts when its turn in the log comes. A
   * recipient that was not handed one that waits gets nothing more this way, or messages would overtake each other. Its `seq` is the place they had, so a client whose connection is lost before the message is
   * numbered gets it again when it resumes; the sender's `id` tells.
   */
  deliverUnnumbered(call: LocalCall, side: Side, body: string, isNew: boolean): Unnumbered {
    const served: Peer[] = []
    for (const peer of isNew ? call.recipients(side) : []) {
      const missesNothing = peer.servedEarly === call.unnumbered[side]
      if (!missesNothing || peer.held !== undefined || peer.roomState !== 'joined') continue
      const { type, json } = unpackBody(body, peer.epoch, peer.delivered)
      peer.sendJson(type, json)
      peer.served.add(body)
      peer.servedEarly += 1
      served.push(peer)
      this.#metrics.delivered.count(type, peer.transport.kind)
    }
    call.unnumbered[side] += 1
    const settle = (tell: (peer: Peer) => void) => {
      call.unnumbered[side] -= 1
      for (const peer of served) {
        peer.servedEarly -= 1
        tell(peer)
      }
    }
    return {
      numbered: (entry) => settle((peer) => peer.served.numbered(entry)),
      failed: () => settle((peer) => peer.served.forget(body)),
    }
  }

  #offer(call: LocalCall, peer: Peer, entry: Entry): void {
    if (peer.held !== undefined) {
      peer.held.push(entry)
      if (peer.held.length > HELD_MAX) peer.move(CLOSE.RESTARTING, 'too far behind, resume', 'behind')
      return
    }
    // Epochs are times of Redis' clock: an older one is a late arrival from before a wipe.
    if (Number(entry.epoch) < Number(peer.epoch)) return
    const sameEpoch = entry.epoch === peer.epoch
    if (sameEpoch && entry.number <= peer.delivered) return
    if (!sameEpoch || entry.previous > peer.delivered) {
      peer.held = [entry]
      this.#metrics.gaps.inc()
      void this.#readLog(call, peer)
      return
    }
    if (peer.served.take(entry) || wasDeliveredBefore(peer, entry)) {
      peer.delivered = entry.number
      this.#tellPlace(call, peer)
    } else this.#send(peer, entry)
  }

  /**
   * Tells a peer that its place moved on without a message: it had the message before it was numbered, and would get it
   * again if it resumed from its old place. The current status, once more, carries the new one; every client knows it.
   */
  #tellPlace(call: LocalCall, peer: Peer): void {
    if (peer.owedPlace) return
    peer.owedPlace = true
    setImmediate(() => {
      peer.owedPlace = false
      peer.send({ ...call.status, seq: formatSeq(peer.epoch, peer.delivered) })
    })
  }

  /** `place` is what the client may resume from when it has this entry. */
  #send(peer: Peer, entry: Entry, place: number = entry.number): void {
    peer.delivered = place
    const { type, json } = unpackBody(entry.body, entry.epoch, place)
    peer.sendJson(type, json)
    this.#metrics.delivered.count(type, peer.transport.kind)
  }

  /** Reads the log for every joined peer of the call, where messages may have passed this node by. */
  catchUp(call: LocalCall): void {
    for (const side of ['a', 'b'] as const) this.catchUpSide(call, side)
  }

  catchUpSide(call: LocalCall, side: Side): void {
    for (const peer of call.recipients(side)) {
      // A peer that holds entries has a read under way, or its join will bring the tail.
      if (peer.held !== undefined) continue
      peer.held = []
      void this.#readLog(call, peer)
    }
  }

  async #readLog(call: LocalCall, peer: Peer): Promise<void> {
    while (!peer.closed && peer.roomState !== 'outside') {
      try {
        const asked = peer.held?.length ?? 0
        const tail = await this.#store.tail(call.id, peer.side, peer.epoch, peer.delivered)
        // What came before the question, of another epoch than the log's, is of a log that is gone.
        peer.held = peer.held?.filter(({ epoch }, at) => at >= asked || epoch === tail.epoch)
        if (tail.epoch === '') this.release(call, peer)
        else this.replay(call, peer, tail.complete ? tail : { ...tail, recovered: false })
        return
      } catch (error) {
        this.#log.debug({ callId: call.id, err: (error as Error).message }, 'log not readable yet')
        await new Promise((resolve) => setTimeout(resolve, READ_AGAIN_MS))
      }
    }
    peer.held = undefined
  }

  /**
   * Sends what the log kept for a peer, then lets live entries through again. Where `recovered` is given, `resumed` goes
   * in front of the messages; it must be given, as false, where anything may be missing.
   */
  replay(call: LocalCall, peer: Peer, tail: Replay): void {
    if (tail.epoch !== peer.epoch) {
      if (peer.epoch !== '') peer.remember({ epoch: peer.epoch, number: peer.delivered })
      peer.epoch = tail.epoch
      peer.delivered = tail.from
      peer.confirmed = Math.min(peer.confirmed, tail.from)
    }
    const from = peer.delivered
    const due = tail.entries.filter(
      (entry) => entry.number > from && !peer.served.take(entry) && !wasDeliveredBefore(peer, entry),
    )
    if (tail.recovered !== undefined) {
      const seq = formatSeq(tail.epoch, from)
      peer.send({ type: 'resumed', call_id: call.id, recovered: tail.recovered, count: due.length, seq })
      if (!tail.recovered) this.#metrics.incompleteReplays.inc()
    }
    if (due.length > 0) this.#metrics.replayed.inc(due.length)
    const last = Math.max(from, tail.last)
    const again = due.filter(({ body }) => originOf(body) !== undefined)
    if (again.length === 0) for (const entry of due) this.#send(peer, entry)
    else {
      // After a wipe new messages may be numbered before old ones are written again: the old ones come first. Then no
      // place but the last says what was delivered; a client that is cut off in between resumes from before them all.
      const ordered = [...again.sort(byOrigin), ...due.filter((entry) => !again.includes(entry))]
      for (const [index, entry] of ordered.entries()) this.#send(peer, entry, index + 1 < ordered.length ? from : last)
    }
    peer.delivered = last
    if (due.length < tail.entries.length) this.#tellPlace(call, peer)
    this.release(call, peer)
  }

  /** Ends the holding: what came meanwhile is delivered, unless the log already held it. */
  release(call: LocalCall, peer: Peer): void {
    const held = peer.held ?? []
    peer.held = undefined
    for (const entry of held) this.#offer(call, peer, entry)
  }
}

/** A message that is written again after a wipe has been delivered if its old place was. */
function wasDeliveredBefore(peer: Peer, entry: Entry): boolean {
  const origin = originOf(entry.body)
  return origin !== undefined && peer.hadBefore(origin)
}

/** Epochs are times: what an earlier log held comes first. */
function byOrigin(one: Entry, other: Entry): number {
  const [first, second] = [originOf(one.body), originOf(other.body)]
  return Number(first?.epoch) - Number(second?.epoch) || (first?.number ?? 0) - (second?.number ?? 0)
}
