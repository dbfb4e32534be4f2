/**
 * What happens to a client's message: checked in the order of the decisions ("Signaling": shape, call over, ids, joined,
 * `to`), then a join, a leave, a report, or a place in the log. A bad message costs its sender an error, nobody else anything.
 */
import { randomUUID } from 'node:crypto'
import { AppError, errorBody } from '../core/protocol/errors.ts'
import { isSameId } from '../core/protocol/ids.ts'
import { isFault, isMessageId, parseClientMessage } from '../core/protocol/parse-signaling.ts'
import {
  CLOSE,
  type ClientMessage,
  type ConnectionStateMessage,
  type RelayedMessage,
} from '../core/protocol/signaling.ts'
import type { RelayRequest } from '../core/rooms/relay-words.ts'
import { formatSeq } from '../core/rooms/room.ts'
import type { ByteBudgets } from './byte-budgets.ts'
import type { ChannelMessages } from './channel-messages.ts'
import { dedupeIdOf } from './dedupe-id.ts'
import type { Delivery } from './delivery.ts'
import type { GatewayMetrics } from './gateway-metrics.ts'
import type { IceRefresh } from './ice-refresh.ts'
import type { LocalCall } from './local-call.ts'
import type { Membership } from './membership.ts'
import type { Incoming, Peer } from './peer.ts'
import type { PeerRegistry } from './peer-registry.ts'
import { PendingMessages } from './pending-messages.ts'
import type { Quality } from './quality.ts'
import type { RecentMessages } from './recent-messages.ts'
import type { Relay } from './relay.ts'
import { packBody, relayedJson } from './relayed-body.ts'
import { Submission } from './submission.ts'
import type { Witness } from './witness.ts'

const TOO_MANY_BYTES = 'The connections of this user send too many bytes'

export interface SignalingDeps {
  registry: PeerRegistry
  membership: Membership
  channel: ChannelMessages
  relay: Relay
  recent: RecentMessages
  delivery: Delivery
  quality: Quality
  iceRefresh: IceRefresh
  witness: Witness
  metrics: GatewayMetrics
  budgets: ByteBudgets
  limits: { floodBurst: number }
  /** The roster turned out not to know this node's peers of a call. */
  onForgotten(call: LocalCall): void
}

export class Signaling {
  readonly #deps: SignalingDeps
  #internalIds = 0

  constructor(deps: SignalingDeps) {
    this.#deps = deps
  }

  /** Takes a message of a peer. Messages that come while the peer's join or leave runs wait for it, in order. */
  receive(peer: Peer, incoming: Incoming): void {
    if (peer.closed) return
    // A character is up to three bytes, and bytes are what Redis, the log and the other side's connection carry.
    if (!this.#deps.budgets.admit(peer.userId, Buffer.byteLength(incoming.text()), performance.now()))
      return this.refuse(peer, new AppError('RATE_LIMITED', TOO_MANY_BYTES), incoming, CLOSE.POLICY)
    this.#take(peer, incoming)
  }

  #take(peer: Peer, incoming: Incoming): void {
    if (peer.pending !== undefined) {
      if (!peer.pending.add(incoming))
        this.refuse(peer, new AppError('SERVICE_UNAVAILABLE', 'Too many messages before the join'), incoming)
      return
    }
    try {
      this.#handle(peer, incoming)
    } catch (error) {
      this.refuse(peer, error, incoming)
    }
  }

  #handle(peer: Peer, incoming: Incoming): void {
    const message = parseClientMessage(incoming.value, incoming.text())
    if (isFault(message)) {
      const details = message.field === undefined ? undefined : { field: message.field }
      throw new AppError('INVALID_REQUEST', message.message, { details })
    }
    this.#deps.metrics.received.count(message.type, peer.transport.kind)
    const call = peer.callId === undefined ? undefined : this.#deps.registry.calls.get(peer.callId)
    if (call === undefined) return this.#deps.channel.receive(peer, message, incoming)
    if (call.over) throw new AppError('CALL_ALREADY_ENDED')
    checkIds(peer, call, message)
    if (message.type === 'ringing') throw new AppError('SIGNALING_ERROR', 'Send ringing over a user channel')
    if (message.type === 'join-room') return this.#join(peer, call, incoming, message.id)
    if (peer.roomState !== 'joined') throw new AppError('SIGNALING_ERROR', 'Join the room first')
    if (message.type === 'leave-room') return this.#leave(peer, call, incoming, message.id)
    if (message.type === 'connection-state') return this.#report(peer, call, incoming, message)
    if (message.type === 'ice-servers') return this.#sendIceServers(peer, incoming, message.id)
    if (!isSameId(message.to, call.otherUser(peer.side)))
      throw new AppError('FORBIDDEN', 'to is not the other participant of the call', { details: { field: 'to' } })
    this.#relay(peer, call, incoming, message)
  }

  #join(peer: Peer, call: LocalCall, incoming: Incoming, id: string | number | undefined): void {
    if (peer.roomState === 'joined') {
      this.#deps.membership.greet(call, peer)
      this.#acknowledge(peer, incoming, id, formatSeq(peer.epoch, peer.delivered))
      return
    }
    void this.joinThen(peer, call, undefined, incoming, () =>
      this.#acknowledge(peer, incoming, id, formatSeq(peer.epoch, peer.delivered)),
    )
  }

  /** Runs a join, by message or by `since`, while the peer's further messages wait. */
  async joinThen(
    peer: Peer,
    call: LocalCall,
    since: string | undefined,
    incoming: Incoming | undefined,
    then: () => void,
  ): Promise<void> {
    const pending = new PendingMessages(this.#deps.limits.floodBurst)
    peer.pending = pending
    try {
      await this.#deps.membership.join(call, peer, since)
      then()
    } catch (error) {
      this.refuse(peer, error, incoming)
    }
    peer.pending = undefined
    // The connection may have closed meanwhile: its place is then given up as it would have been.
    if (peer.closed) this.#deps.membership.leave(call, peer, peer.closedCleanly ? 'clean' : 'lost')
    for (const waiting of pending) if (!peer.closed) this.#take(peer, waiting)
  }

  #leave(peer: Peer, call: LocalCall, incoming: Incoming, id: string | number | undefined): void {
    const seq = formatSeq(peer.epoch, peer.delivered)
    this.#deps.membership.leave(call, peer, 'clean')
    this.#acknowledge(peer, incoming, id, seq)
  }

  #report(peer: Peer, call: LocalCall, incoming: Incoming, message: ConnectionStateMessage): void {
    this.#deps.quality.report(peer, call, message)
    if (message.state === 'failed') {
      const body = { type: 'error', ...errorBody(new AppError('WEBRTC_CONNECTION_FAILED'), randomUUID()) }
      this.#submit(peer, call, { type: 'error', json: JSON.stringify(body) }, message.id, incoming)
      return
    }
    this.#acknowledge(peer, incoming, message.id, formatSeq(peer.epoch, peer.delivered))
  }

  #sendIceServers(peer: Peer, incoming: Incoming, id: string | number | undefined): void {
    this.#deps.iceRefresh.asked(peer)
    this.#acknowledge(peer, incoming, id, formatSeq(peer.epoch, peer.delivered))
  }

  #relay(peer: Peer, call: LocalCall, incoming: Incoming, message: RelayedMessage): void {
    this.#deps.witness.sent(call, peer, message.type)
    this.#submit(peer, call, { type: message.type, json: relayedJson(message, incoming.text()) }, message.id, incoming)
  }

  #submit(
    peer: Peer,
    call: LocalCall,
    relayed: { type: RelayedMessage['type'] | 'error'; json: string },
    id: string | number | undefined,
    incoming: Incoming,
  ): void {
    const isRepeated = id !== undefined && !peer.noteSent(id)
    const request: RelayRequest = {
      callId: call.id,
      from: peer.side,
      sender: peer.connectionId,
      mayBeSeen: isRepeated,
      dedupeId: id === undefined ? this.#internalId(peer) : dedupeIdOf(peer.device, id),
      body: packBody(relayed.type, relayed.json),
    }
    // What may have been numbered before must not be handed over as if it were new; only the log knows.
    const isNew = id === undefined || !(isRepeated || peer.mayResend)
    this.#deps.relay.submit(new Submission(this.#deps, this, { peer, call, request, isNew, id, incoming }))
  }

  /** A flush whose reply was lost is sent again and must not be numbered twice, so a message without an id gets one. */
  #internalId(peer: Peer): string {
    this.#internalIds += 1
    return `*${peer.connectionId}:${this.#internalIds}`
  }

  #acknowledge(peer: Peer, incoming: Incoming, id: string | number | undefined, seq: string): void {
    incoming.ack?.({ ok: true, seq })
    if (id !== undefined) peer.acknowledge(id, seq, true)
  }

  /** Tells a peer what was wrong, and ends the connection where the fault's code says so. */
  refuse(peer: Peer, error: unknown, incoming?: Incoming, closeWith?: number): void {
    const fault = error instanceof AppError ? error : new AppError('INTERNAL_ERROR')
    this.#deps.metrics.errors.inc({ code: fault.code })
    const body = errorBody(fault, randomUUID())
    const ended = fault.code === 'CALL_ALREADY_ENDED' && peer.callId !== undefined
    const close = closeWith ?? (ended ? CLOSE.CALL_OVER : undefined)
    incoming?.ack?.({ ok: false, error: body.error })
    if (incoming?.ack === undefined || close !== undefined) {
      const ref = (incoming?.value as { id?: unknown } | null | undefined)?.id
      peer.send({ type: 'error', ...body, ...(isMessageId(ref) ? { ref: ref as string | number } : {}) })
    }
    if (close !== undefined) peer.close(close, fault.message)
  }
}

/**
 * The ids must be this connection's own: a client may never speak for another, nor into another call. Which field names the
 * sender depends on the type: other fields, whatever their names, are the client's own business.
 */
function checkIds(peer: Peer, call: LocalCall, message: ClientMessage): void {
  if (!isSameId(message.call_id, call.id))
    throw new AppError('FORBIDDEN', 'call_id is not the call of this connection', { details: { field: 'call_id' } })
  const field = isRelayed(message) ? 'from' : 'user_id'
  if (!isSameId(isRelayed(message) ? message.from : message.user_id, peer.userId))
    throw new AppError('FORBIDDEN', 'The sender is not the user of this connection', { details: { field } })
}

function isRelayed(message: ClientMessage): message is RelayedMessage {
  return message.type === 'candidate' || message.type === 'offer' || message.type === 'answer'
}
