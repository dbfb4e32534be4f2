/** What this node knows of a call that has a connection here: its two users, its state, and its peers. */
import { type Call, isLive } from '../core/calls/call.ts'
import { callChanged } from '../core/calls/call-messages.ts'
import type { CallStatusMessage, CallType } from '../core/protocol/signaling.ts'
import { otherSide, type Side } from '../core/rooms/room.ts'
import type { RoomFacts } from '../core/rooms/room-store.ts'
import type { Peer } from './peer.ts'

export class LocalCall {
  readonly id: string
  readonly callerId: string
  readonly calleeId: string
  /** As its row has it; undefined where the call was read from its room, which is in this node's group. */
  readonly group: string | null | undefined
  /** For metrics alone. */
  readonly type: CallType | 'unknown'
  /** The newest state known here, as every connection is told it. */
  status: CallStatusMessage
  readonly peers = new Set<Peer>()
  /** The newest version of who is present that was announced here, by side. */
  readonly presence: Record<Side, number> = { a: 0, b: 0 }
  /** Messages to a side that wait for their number while Redis is away. */
  readonly unnumbered: Record<Side, number> = { a: 0, b: 0 }
  /** The sides that are in the room, on whatever node, as far as this node was told. */
  present: readonly Side[] = []
  #presentVersion = 0
  constructor(call: Call | RoomFacts) {
    if ('id' in call) {
      this.id = call.id
      this.callerId = call.callerId
      this.calleeId = call.calleeId
      this.type = call.type
      this.group = call.group
      this.status = statusMessage(call)
    } else {
      this.id = call.status.call_id
      this.group = undefined
      this.callerId = call.caller_id
      this.calleeId = call.callee_id
      // A label must be one of few: what somebody else wrote to Redis is none.
      this.type = call.call_type === 'voice' || call.call_type === 'video' ? call.call_type : 'unknown'
      this.status = call.status
    }
  }

  /** What the room in Redis keeps of its call, for nodes that cannot reach Postgres. */
  get facts(): RoomFacts {
    const type = this.type === 'unknown' ? {} : { call_type: this.type }
    return { caller_id: this.callerId, callee_id: this.calleeId, ...type, status: this.status }
  }

  get over(): boolean {
    return !isLive(this.status)
  }

  sideOf(userId: string): Side | undefined {
    if (userId === this.callerId) return 'a'
    return userId === this.calleeId ? 'b' : undefined
  }

  userOf(side: Side): string {
    return side === 'a' ? this.callerId : this.calleeId
  }

  /** The connections of a side that messages go to, those whose join is under way included: they hold them. */
  *recipients(side: Side): Iterable<Peer> {
    for (const peer of this.peers) if (peer.side === side && peer.roomState !== 'outside') yield peer
  }

  otherUser(side: Side): string {
    return this.userOf(otherSide(side))
  }

  /**
   * Takes a view of who is in the room. Announcements and replies come over different connections, so that an older
   * view may arrive after a newer one; it is passed over.
   */
  see(version: number, present: readonly Side[]): void {
    if (version < this.#presentVersion) return
    this.#presentVersion = version
    this.present = present
  }

  /** Takes a newer state; false for one that is not newer. */
  update(status: CallStatusMessage): boolean {
    if (status.version <= this.status.version) return false
    this.status = status
    return true
  }
}

/** The contract's "Call Status Update" for a call as it stands in Postgres. */
export function statusMessage(call: Call): CallStatusMessage {
  return callChanged(call).message
}
