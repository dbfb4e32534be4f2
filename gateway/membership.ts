/** Joins and leaves: seats in the room's roster, and who is told of them. */
import { randomUUID } from 'node:crypto'
import type { Logger } from '../core/platform/logger.ts'
import { AppError, errorBody } from '../core/protocol/errors.ts'
import type { InboxItem } from '../core/rooms/inbox.ts'
import { formatSeq, parseSeq, type Side } from '../core/rooms/room.ts'
import type { Joined, RoomStore, Seat } from '../core/rooms/room-store.ts'
import type { Delivery } from './delivery.ts'
import type { GatewayMetrics } from './gateway-metrics.ts'
import { Graces } from './graces.ts'
import type { LocalCall } from './local-call.ts'
import type { Peer } from './peer.ts'
import type { RoomRecord } from './room-record.ts'
import { SeatOrder } from './seat-order.ts'
import type { Witness } from './witness.ts'

/** Pauses before a seat is given up again after Redis did not take it: from the first to the longest, doubling. */
const LEAVE_AGAIN_MS = 250
const LEAVE_AGAIN_MAX_MS = 2000

const DROPPED = 'Earlier messages of this call were dropped before this join: negotiate anew'

/** `untaken`: nobody was told of the seat, if there is one at all. */
type Leaving = 'clean' | 'lost' | 'untaken'

interface MembershipDeps {
  store: RoomStore
  delivery: Delivery
  record: RoomRecord
  witness: Witness
  metrics: GatewayMetrics
  log: Logger
  reconnectGraceMs: number
}

export class Membership {
  readonly #deps: MembershipDeps
  /** Seats that Redis must still hear about; the process does not end before, within its deadline. */
  readonly #leaving = new Set<Promise<void>>()
  readonly #order = new SeatOrder()
  readonly #graces = new Graces()

  constructor(deps: MembershipDeps) {
    this.#deps = deps
  }

  /**
   * Takes a seat and delivers what waits for it: `user-joined`, `call-status`, with `since` also `resumed`, then the
   * messages. While it runs, the peer's own messages wait and live entries are held.
   * @throws SERVICE_UNAVAILABLE when Redis did not take the seat; the peer is outside then, as before.
   */
  async join(call: LocalCall, peer: Peer, since?: string): Promise<void> {
    peer.roomState = 'joining'
    peer.held = []
    const asked = since === undefined ? undefined : parseSeq(since)
    const mode = asked === undefined ? 'naive' : 'since'
    let joined: Joined
    this.#order.begin(peer)
    try {
      joined = await this.#order.run(peer, () =>
        this.#deps.store.join(seatOf(call, peer), mode, asked?.epoch ?? '', asked?.number ?? 0),
      )
    } catch (error) {
      this.#deps.metrics.joins.inc({ mode, outcome: 'failed' })
      peer.roomState = 'outside'
      peer.held = undefined
      // The reply may be lost, not the seat: it is given up so that nobody waits for a peer that is not told.
      this.#giveUp(call, peer, 'untaken')
      throw new AppError('SERVICE_UNAVAILABLE', 'The room cannot be reached', { cause: error })
    }
    this.#deps.metrics.joins.inc({ mode, outcome: 'joined' })
    // How far this log was delivered the peer knows by itself; the client's word is for logs that are gone.
    if (asked !== undefined && asked.epoch !== joined.epoch) peer.remember(asked)
    this.#settle(call, peer, joined)
    if (areBothIn(joined)) this.#bothJoined(call)
    peer.mayResend = since !== undefined || !joined.first
    this.#graces.end({ callId: call.id, side: peer.side })
    this.#deps.record.joined(call.id, peer.side, joined.occupancy)
    const recovered = asked !== undefined && joined.recovered
    this.#deps.witness.joined(call, peer, since === undefined ? undefined : recovered)
    if (joined.wasEmpty)
      this.#deps.store.setFacts(call.facts).catch(() => {
        // Only needed while Postgres is away, and written again with the next change of the call.
      })
    if (joined.first) this.#announce(call, 'user-joined', peer.side, peer)
    // Where something may be missing, no place is given before the client was told so: it would resume past the hole.
    this.greet(call, peer, since === undefined || recovered)
    if (since === undefined && !joined.recovered) this.#tellOfDropped(peer)
    const { epoch, from, last, tail: entries } = joined
    if (since !== undefined) this.#deps.metrics.resumes.inc({ recovered: String(recovered) })
    this.#deps.delivery.replay(call, peer, {
      epoch,
      from,
      last,
      entries,
      ...(since === undefined ? {} : { recovered }),
    })
  }

  /** `resumed` is for clients that asked for it by `since`; an error is what every client knows. */
  #tellOfDropped(peer: Peer): void {
    const error = new AppError('SIGNALING_ERROR', DROPPED, { details: { recovered: false } })
    this.#deps.metrics.errors.inc({ code: error.code })
    peer.send({ type: 'error', ...errorBody(error, randomUUID()) })
  }

  #settle(call: LocalCall, peer: Peer, joined: Joined): void {
    peer.roomState = 'joined'
    peer.joinedAt = performance.now()
    peer.epoch = joined.epoch
    peer.delivered = joined.from
    peer.confirmed = joined.from
    call.see(joined.version, joined.present)
    call.presence[peer.side] = Math.max(call.presence[peer.side], joined.version)
  }

  /** Counted where the call is answered already, as it is where people wait for each other. */
  #bothJoined(call: LocalCall): void {
    const { status, timestamp } = call.status
    // The answer has Postgres' clock, now has ours: a small difference must not become a negative time.
    if (status === 'active')
      this.#deps.metrics.bothJoined.observe(Math.max(0, Date.now() - Date.parse(timestamp)) / 1000)
  }

  /** The answer to every `join-room`: who is here, then how the call stands. */
  greet(call: LocalCall, peer: Peer, withPlace = true): void {
    const place = withPlace ? { seq: formatSeq(peer.epoch, peer.delivered) } : {}
    const participants = call.present.map((side) => call.userOf(side))
    peer.send({ type: 'user-joined', call_id: call.id, user_id: peer.userId, participants, ...place })
    peer.send({ ...call.status, ...place })
    peer.versions.set(call.id, call.status.version)
  }

  /** Takes the seat again that a wiped Redis forgot, or that was buried with this node. Nothing is skipped. */
  async restore(call: LocalCall, peer: Peer): Promise<void> {
    const alreadyHeld = peer.held !== undefined
    peer.held ??= []
    let joined: Joined
    try {
      joined = await this.#order.run(peer, () =>
        this.#deps.store.join(seatOf(call, peer), 'restore', peer.epoch, peer.delivered),
      )
    } catch (error) {
      this.#deps.metrics.joins.inc({ mode: 'restore', outcome: 'failed' })
      if (!alreadyHeld) this.#deps.delivery.release(call, peer)
      throw error
    }
    this.#deps.metrics.joins.inc({ mode: 'restore', outcome: 'joined' })
    // Where it was buried, a worker has written that the room is empty. After a wipe nobody has, and all come at once.
    if (joined.wasEmpty && joined.epoch === peer.epoch) this.#deps.record.joined(call.id, peer.side, joined.occupancy)
    if (peer.closed || peer.roomState !== 'joined') return
    call.see(joined.version, joined.present)
    call.presence[peer.side] = Math.max(call.presence[peer.side], joined.version)
    if (joined.first) this.#announce(call, 'user-joined', peer.side, peer)
    const { epoch, from, last, tail: entries, recovered } = joined
    this.#deps.delivery.replay(call, peer, { epoch, from, last, entries, ...(recovered ? {} : { recovered }) })
  }

  /** Gives the seat up. `clean` tells everyone at once; after `lost` the user's place is kept for the grace. */
  leave(call: LocalCall, peer: Peer, how: 'clean' | 'lost'): void {
    if (peer.roomState === 'outside') return
    peer.roomState = 'outside'
    peer.held = undefined
    this.#deps.witness.gone(call, peer, how)
    this.#giveUp(call, peer, how)
  }

  #giveUp(call: LocalCall, peer: Peer, how: Leaving): void {
    const due = Date.now() + this.#deps.reconnectGraceMs
    if (how === 'lost') this.#graces.begin({ callId: call.id, side: peer.side, due })
    const leaving = this.#leaveUntilTaken(call, peer, how, due).finally(() => this.#leaving.delete(leaving))
    this.#leaving.add(leaving)
  }

  async #leaveUntilTaken(call: LocalCall, peer: Peer, how: Leaving, due: number): Promise<void> {
    const { store, record } = this.#deps
    const confirmed = { epoch: peer.epoch, number: peer.confirmed }
    // A peer that comes back takes the seat over; whatever fails then gives it up by itself.
    const isNewest = this.#order.begin(peer)
    for (let pause = LEAVE_AGAIN_MS; ; pause = Math.min(pause * 2, LEAVE_AGAIN_MAX_MS)) {
      try {
        const left = await this.#order.run(peer, () => {
          const graceMs = Math.max(0, due - Date.now())
          return store.leave(seatOf(call, peer), how === 'lost' ? 'lost' : 'clean', graceMs, confirmed)
        })
        if (left.left) {
          call.see(left.version, left.present)
          call.presence[peer.side] = Math.max(call.presence[peer.side], left.version)
          this.#announce(call, 'user-left', peer.side)
        } else if (how === 'clean' && !left.hadSeat) {
          // Redis was wiped meanwhile: whoever ends graces announces the leave, unless the user is back.
          await store.restoreGrace(call.id, peer.side, 0)
        }
        // Without a room nobody knows whether others are about to write themselves into it again: the roll call finds out.
        if (left.empty && left.occupancy > 0 && !call.over) record.emptied(call.id, left.occupancy)
        return
      } catch (error) {
        this.#deps.log.debug({ callId: call.id, err: (error as Error).message }, 'seat not given up yet')
        await new Promise((resolve) => setTimeout(resolve, pause))
        if (!isNewest()) return
      }
    }
  }

  /** Writes the graces again that are not over yet; a user who is back meanwhile makes its grace end in silence. */
  async restoreGraces(): Promise<void> {
    await this.#graces.each(({ callId, side, due }) => this.#deps.store.restoreGrace(callId, side, due))
  }

  /** Whether Redis knows of every seat given up so far. */
  get isSettled(): boolean {
    return this.#leaving.size === 0
  }

  /** Resolves when Redis knows of every seat given up so far. */
  async settled(): Promise<void> {
    await Promise.all(this.#leaving)
  }

  /** An announcement of another node, or of a worker that ended a grace. An older one of the same side is passed over. */
  onAnnouncement(call: LocalCall, item: Extract<InboxItem, { kind: 'joined' | 'left' }>): void {
    if (item.version <= call.presence[item.side]) return
    call.presence[item.side] = item.version
    call.see(item.version, item.present)
    this.#announce(call, item.kind === 'joined' ? 'user-joined' : 'user-left', item.side)
  }

  #announce(call: LocalCall, type: 'user-joined' | 'user-left', side: Side, except?: Peer): void {
    const participants = call.present.map((present) => call.userOf(present))
    for (const peer of call.peers) {
      if (peer === except || peer.roomState !== 'joined') continue
      const seq = formatSeq(peer.epoch, peer.delivered)
      peer.send({ type, call_id: call.id, user_id: call.userOf(side), participants, seq })
    }
  }
}

/** Versions of who is in a room count from its epoch; the second is the first that can say two. */
function areBothIn({ first, epoch, version, present }: Joined): boolean {
  return first && version === Number(epoch) + 2 && present.length === 2
}

export function seatOf(call: LocalCall, peer: Peer): Seat {
  return { callId: call.id, side: peer.side, connectionId: peer.connectionId, device: peer.device }
}
