/** The life of a connection on this node, from its admission to its end, whatever its transport. */
import type { Logger } from '../core/platform/logger.ts'
import { CLOCK_TOLERANCE_SECONDS } from '../core/platform/tokens.ts'
import { AppError } from '../core/protocol/errors.ts'
import { CLOSE } from '../core/protocol/signaling.ts'
import type { RoomStore } from '../core/rooms/room-store.ts'
import type { GatewayMetrics } from './gateway-metrics.ts'
import type { Admission, Handshakes } from './handshake.ts'
import type { IceRefresh } from './ice-refresh.ts'
import { type Membership, seatOf } from './membership.ts'
import { Peer, type Transport } from './peer.ts'
import type { PeerRegistry } from './peer-registry.ts'
import type { Rings } from './rings.ts'
import type { Signaling } from './signaling.ts'
import type { Witness } from './witness.ts'

/** `setTimeout` takes at most 2^31 - 1 ms; a token that outlives that closes with the process. */
const TIMER_MAX_MS = 2_147_483_647

interface LifecycleDeps {
  registry: PeerRegistry
  handshakes: Handshakes
  membership: Membership
  signaling: Signaling
  iceRefresh: IceRefresh
  witness: Witness
  store: RoomStore
  metrics: GatewayMetrics
  rings: Rings
  /** A user's connection begins or ends, for `last_seen`. */
  onSeen(userId: string): void
  log: Logger
}

export class PeerLifecycle {
  readonly #deps: LifecycleDeps
  readonly #expiries = new Map<Peer, NodeJS.Timeout>()
  /** One for each transport, not one for each of a node's many connections. */
  readonly #onEvent = {
    raw: (type: string) => this.#deps.metrics.events.count(type, 'raw'),
    socketio: (type: string) => this.#deps.metrics.events.count(type, 'socketio'),
  }

  constructor(deps: LifecycleDeps) {
    this.#deps = deps
  }

  /** Opens an admitted connection. With `since` it rejoins its room by itself. */
  open(admission: Admission, transport: Transport, since: string | undefined): Peer {
    const { registry, metrics, log } = this.#deps
    const { identity, connectionId, device, call } = admission
    const onEvent = this.#onEvent[transport.kind]
    const peer = new Peer({ connectionId, identity, device, transport, onEvent })
    const labels = { kind: call === undefined ? 'user' : 'call', transport: transport.kind }
    metrics.connections.inc(labels)
    metrics.opened.inc(labels)
    log.debug({ callId: call?.id, userId: peer.userId, transport: transport.kind }, 'peer connected')
    this.#deps.onSeen(peer.userId)
    if (call === undefined) {
      registry.addChannel(peer)
      this.#expireWithToken(peer)
      this.#deps.rings.lookUp(peer)
      return peer
    }
    peer.callId = call.id
    peer.side = call.sideOf(peer.userId) ?? 'a'
    const adopted = registry.adopt(call)
    registry.addToCall(peer, adopted)
    if (adopted.over) this.#deps.signaling.refuse(peer, new AppError('CALL_ALREADY_ENDED'))
    else if (isElsewhere(adopted, peer)) {
      peer.send(adopted.status)
      peer.close(CLOSE.CALL_OVER, 'answered on another device')
    } else if (since !== undefined) void this.#deps.signaling.joinThen(peer, adopted, since, undefined, () => {})
    return peer
  }

  /** A user channel is authorised by its token alone and ends with it; a call connection lives as long as its call. */
  #expireWithToken(peer: Peer): void {
    const expiresInMs = peer.identity.expiresAt.getTime() - Date.now()
    if (expiresInMs > TIMER_MAX_MS) return
    // A token that is accepted within the tolerance of clocks opens a channel: it must not be closed at once.
    const ms = expiresInMs > 0 ? expiresInMs : expiresInMs + CLOCK_TOLERANCE_SECONDS * 1000
    const expired = new AppError('UNAUTHORIZED', 'The token has expired')
    const timer = setTimeout(
      () => this.#deps.signaling.refuse(peer, expired, undefined, CLOSE.TOKEN_EXPIRED),
      Math.max(0, ms),
    )
    this.#expiries.set(peer, timer)
  }

  /** The connection has ended; `clean` when the client said so, else its place is kept for the reconnect grace. */
  ended(peer: Peer, admission: Admission, clean: boolean): void {
    if (peer.closed) return
    const { registry, metrics, membership, handshakes } = this.#deps
    peer.closed = true
    peer.closedCleanly = clean
    clearTimeout(this.#expiries.get(peer))
    this.#expiries.delete(peer)
    this.#deps.iceRefresh.forget(peer)
    const call = peer.callId === undefined ? undefined : registry.calls.get(peer.callId)
    registry.remove(peer)
    handshakes.giveBack(admission)
    const labels = { kind: call === undefined ? 'user' : 'call', transport: peer.transport.kind }
    metrics.connections.dec(labels)
    metrics.closed.inc({ ...labels, cause: peer.closeCause ?? (clean ? 'client' : 'lost') })
    this.#deps.onSeen(peer.userId)
    if (call !== undefined && peer.roomState === 'outside' && peer.joinedAt === 0)
      this.#deps.witness.neverJoined(call, peer)
    // While a join runs, its end takes care of the seat.
    if (call !== undefined && peer.roomState === 'joined')
      membership.leave(call, peer, clean || call.over ? 'clean' : 'lost')
  }

  /** A pong came: what was delivered before its ping has arrived for certain. */
  ponged(peer: Peer): void {
    if (!peer.onPong() || peer.roomState !== 'joined') return
    const call = peer.callId === undefined ? undefined : this.#deps.registry.calls.get(peer.callId)
    if (call === undefined) return
    const confirmed = { epoch: peer.epoch, number: peer.confirmed }
    this.#deps.store.confirm(seatOf(call, peer), confirmed).catch(() => {
      // Unconfirmed means delivered again to a client that rejoins without `since`: allowed, and confirmed by the next pong.
    })
  }
}

/** After an answer with a device, only that device's connections stay or join for the callee. */
export function isElsewhere(call: { status: { status: string; answered_by_device?: string } }, peer: Peer): boolean {
  const { status, answered_by_device: device } = call.status
  return peer.side === 'b' && status === 'active' && device !== undefined && device !== peer.device
}
