/** Who is connected to this node: every peer by its id, by its user and by its call. Nothing here outlives the process. */
import type { ConnectionRecord } from '../core/presence/connections.ts'
import type { CallStatusMessage } from '../core/protocol/signaling.ts'
import type { LocalCall } from './local-call.ts'
import type { Peer } from './peer.ts'

/** A status may arrive while its call is being read from Postgres for a first connection; it is kept for so many calls. */
const RECENT_STATUSES = 10_000

export class PeerRegistry {
  readonly peers = new Map<string, Peer>()
  readonly calls = new Map<string, LocalCall>()
  readonly #channels = new Map<string, Set<Peer>>()
  readonly #recent = new Map<string, CallStatusMessage>()
  #channelCount = 0

  /** Open connections by kind. */
  get counts(): { callConnections: number; userChannels: number } {
    return { callConnections: this.peers.size - this.#channelCount, userChannels: this.#channelCount }
  }

  /** Adds a call connection. */
  addToCall(peer: Peer, call: LocalCall): void {
    this.peers.set(peer.connectionId, peer)
    this.calls.set(call.id, call)
    call.peers.add(peer)
  }

  /** Adds a user channel. */
  addChannel(peer: Peer): void {
    this.peers.set(peer.connectionId, peer)
    this.#channelCount += 1
    const channels = this.#channels.get(peer.userId)
    if (channels === undefined) this.#channels.set(peer.userId, new Set([peer]))
    else channels.add(peer)
  }

  remove(peer: Peer): void {
    this.peers.delete(peer.connectionId)
    const channels = this.#channels.get(peer.userId)
    if (channels?.delete(peer)) {
      this.#channelCount -= 1
      if (channels.size === 0) this.#channels.delete(peer.userId)
    }
    const call = peer.callId === undefined ? undefined : this.calls.get(peer.callId)
    if (call?.peers.delete(peer) && call.peers.size === 0) this.calls.delete(call.id)
  }

  channelsOf(userId: string): Iterable<Peer> {
    return this.#channels.get(userId) ?? []
  }

  /** Every user channel of this node. */
  *channels(): Iterable<Peer> {
    for (const channels of this.#channels.values()) yield* channels
  }

  /** The newest state of a call that passed by; undefined for one that has had no change, or not lately. */
  newestStatus(callId: string): CallStatusMessage | undefined {
    return this.calls.get(callId)?.status ?? this.#recent.get(callId)
  }

  /** Remembers a status for a call that nobody here is connected to yet. */
  rememberStatus(status: CallStatusMessage): void {
    this.#recent.delete(status.call_id)
    this.#recent.set(status.call_id, status)
    const [oldest] = this.#recent.keys()
    if (this.#recent.size > RECENT_STATUSES && oldest !== undefined) this.#recent.delete(oldest)
  }

  /** The known call, or the given one once it is brought up to the newest status that passed by. */
  adopt(call: LocalCall): LocalCall {
    const known = this.calls.get(call.id)
    if (known !== undefined) return known
    const recent = this.#recent.get(call.id)
    if (recent !== undefined) call.update(recent)
    return call
  }

  userIds(): Set<string> {
    return new Set([...this.peers.values()].map((peer) => peer.userId))
  }

  /** What Redis must know of this node's connections. */
  *records(): Iterable<ConnectionRecord> {
    for (const { userId, connectionId, callId, device } of this.peers.values())
      yield { userId, connectionId, kind: callId === undefined ? 'user' : 'call', callId: callId ?? '', device }
  }
}
