/**
 * One connection of a user, whatever its transport: what the rest of the gateway knows of a client.
 * A raw WebSocket and a Socket.IO connection differ in how a message is framed and how a connection is closed, no more.
 */

import type { Identity } from '../core/platform/token-claims.ts'
import { type Ack, CLOSE, type ServerMessage } from '../core/protocol/signaling.ts'
import type { Entry, Side } from '../core/rooms/room.ts'
import type { PendingMessages } from './pending-messages.ts'
import { ServedEarly } from './served-early.ts'

/** What frames and carries the messages of one connection. */
export interface Transport {
  readonly kind: 'raw' | 'socketio'
  /** Sends a message whose JSON is ready; `type` names the Socket.IO event. It leaves when the code that runs is done. */
  send(type: string, json: string): void
  /** Sends a message that may wait a few milliseconds for another to leave with. */
  sendLate(type: string, json: string): void
  /** Has what waits leave now. */
  flush(): void
  /** Ends the connection. Socket.IO knows no close codes: it is disconnected by the server. */
  close(code: number, reason: string): void
  /** Ends the connection in a way that makes the client connect again. */
  move(code: number, reason: string): void
  /** True when more waits for the client than it will ever catch up with. */
  isBehind(): boolean
  /** Ends the connection at once, without a goodbye: what waits for the client is thrown away. */
  cut(): void
}

/** A client's message as its transport read it: the parsed value, its text for the relay, and a Socket.IO callback. */
export interface Incoming {
  value: unknown
  text(): string
  ack?: Ack
}

/** Where a connection stands with its room. */
export type RoomState = 'outside' | 'joining' | 'joined'

/** Why a connection ended, for the metrics: the client's word, its silence, or this node's decision. */
export type CloseCause = 'client' | 'lost' | 'behind' | 'drained' | Lowercase<keyof typeof CLOSE>

const CAUSES = new Map(Object.entries(CLOSE).map(([name, code]) => [code as number, name.toLowerCase() as CloseCause]))

export interface PeerOptions {
  connectionId: string
  identity: Identity
  /** The client's device, or '' where each connection is its own. */
  device: string
  transport: Transport
  /** Told of each message of our own that is sent. */
  onEvent?(type: string): void
}

/** Wipes within the two minutes that messages are remembered; more would be an outage of another kind. */
const EPOCHS_KEPT = 8

/** As many ids as the log remembers of a call, at least (relay.lua). */
const SENT_KEPT = 512

export class Peer {
  readonly connectionId: string
  readonly identity: Identity
  readonly userId: string
  readonly device: string
  readonly transport: Transport
  /** Undefined for a user channel. */
  callId: string | undefined
  side: Side = 'a'
  roomState: RoomState = 'outside'
  /** When it joined, in ms of `performance.now()`. */
  joinedAt = 0
  closed = false
  /** The last place in the log that was delivered to this connection. */
  epoch = ''
  delivered = 0
  /** What was delivered by epoch, before Redis lost the call's log: messages that are written again are known by it. */
  readonly #before = new Map<string, number>()
  /** The last place that a pong confirmed. */
  confirmed = 0
  /** What `delivered` was when the last ping went out. */
  #pinged = 0
  readonly #sent = new Set<string | number>()
  #pingedEpoch = ''
  /** What was handed over before it had a number. */
  readonly served = new ServedEarly()
  /** Live entries wait here while the log is read for this connection. */
  held: Entry[] | undefined
  /** How many of the messages that wait for their number were handed over. */
  servedEarly = 0
  /** The client may be sending again what another connection of its user sent: it was here before. */
  mayResend = false
  /** The peer is about to be told that its place moved on. */
  owedPlace = false
  /** Client messages wait here while a join or a leave is under way: a client's messages keep their order. */
  pending: PendingMessages | undefined
  /** ICE candidates that it has sent since it joined. */
  candidates = 0
  /** How the connection ended: on purpose, or lost. */
  closedCleanly = false
  /** Why this node ended it, if it did. */
  closeCause: CloseCause | undefined
  /** The highest version of each call that this connection was told: a lower status never follows a higher. */
  readonly versions = new Map<string, number>()

  readonly #onEvent: PeerOptions['onEvent']

  constructor(options: PeerOptions) {
    this.#onEvent = options.onEvent
    this.connectionId = options.connectionId
    this.identity = options.identity
    this.userId = options.identity.userId
    this.device = options.device
    this.transport = options.transport
  }

  send(message: ServerMessage): void {
    if (!this.closed) this.#onEvent?.(message.type)
    this.sendJson(message.type, JSON.stringify(message))
  }

  /**
   * Sends a message with JSON that is ready, as relayed bodies are. A client that takes nothing any more is cut off, so
   * that it costs bounded memory; it resumes from the log.
   */
  sendJson(type: string, json: string): void {
    if (this.closed) return
    this.transport.send(type, json)
    this.cutIfBehind()
  }

  /** Acknowledgements count, too: a client that sends and never reads would have them pile up. */
  cutIfBehind(): void {
    if (this.closed || !this.transport.isBehind()) return
    this.closeCause ??= 'behind'
    this.transport.cut()
  }

  /** Acknowledges a message. `inHurry`: at once, where a write costs nothing that others need. */
  acknowledge(id: string | number, seq: string, inHurry: boolean): void {
    if (this.closed) return
    const json = `{"type":"ack","id":${typeof id === 'number' ? id : JSON.stringify(id)},"seq":"${seq}"}`
    if (inHurry) return this.sendJson('ack', json)
    this.transport.sendLate('ack', json)
    this.cutIfBehind()
  }

  close(code: number, reason: string): void {
    if (this.closed) return
    this.closeCause ??= CAUSES.get(code)
    this.transport.close(code, reason)
  }

  /** Ends the connection in a way that makes the client connect again. */
  move(code: number, reason: string, cause: CloseCause): void {
    this.closeCause ??= cause
    this.transport.move(code, reason)
  }

  /** Notes the id of a message; false where this connection has sent it before, as far as is remembered. */
  noteSent(id: string | number): boolean {
    if (this.#sent.has(id)) return false
    this.#sent.add(id)
    if (this.#sent.size > SENT_KEPT) for (const oldest of this.#sent) return this.#sent.delete(oldest)
    return true
  }

  /** Remembers how far a log went that is lost, or that the client says it had. */
  remember({ epoch, number }: { epoch: string; number: number }): void {
    this.#before.set(epoch, number)
    const [oldest] = this.#before.keys()
    if (this.#before.size > EPOCHS_KEPT && oldest !== undefined) this.#before.delete(oldest)
  }

  /** Whether a place of an earlier log was delivered. */
  hadBefore({ epoch, number }: { epoch: string; number: number }): boolean {
    return number <= (this.#before.get(epoch) ?? 0)
  }

  /** A ping goes out now: what was delivered before it is confirmed by its pong. */
  onPing(): void {
    this.transport.flush()
    this.#pinged = this.delivered
    this.#pingedEpoch = this.epoch
  }

  /** Returns true when the pong confirms something new. */
  onPong(): boolean {
    if (this.#pingedEpoch !== this.epoch || this.#pinged <= this.confirmed) return false
    this.confirmed = this.#pinged
    return true
  }
}
