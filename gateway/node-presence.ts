/**
 * This node's place in the cluster: it beats, keeps its rooms from expiring, listens to its inbox, and writes everything
 * it knows again when Redis was wiped or when it was taken for dead. Nothing here is needed for its peers to stay connected.
 */
import type { Logger } from '../core/platform/logger.ts'
import { type GuardedRedis, settled } from '../core/platform/redis.ts'
import type { Connections } from '../core/presence/connections.ts'
import { parseInbox } from '../core/rooms/inbox.ts'
import type { DrainWish, NodeAbout } from '../core/rooms/node-directory.ts'
import type { RoomStore } from '../core/rooms/room-store.ts'
import type { Delivery } from './delivery.ts'
import type { GatewayMetrics } from './gateway-metrics.ts'
import type { LocalCall } from './local-call.ts'
import type { Membership } from './membership.ts'
import type { Peer } from './peer.ts'
import type { PeerRegistry } from './peer-registry.ts'
import type { RecentMessages } from './recent-messages.ts'
import type { RewriteFirst } from './rewrite-first.ts'

/** Longest wait of a starting node for Redis. */
const FIRST_CONTACT_MS = 2000
/** Rooms and connection records live 5 minutes without a refresh (core/protocol/keys.ts). */
const KEEP_ALIVE_MS = 30_000
/** Calls written again at once after a wipe, so that Redis serves others in between. */
const RESTORE_CONCURRENCY = 64

interface NodePresenceDeps {
  nodeId: string
  store: RoomStore
  connections: Connections
  registry: PeerRegistry
  membership: Membership
  delivery: Delivery
  recent: RecentMessages
  rewriteFirst: RewriteFirst
  redis: GuardedRedis
  subscriber: GuardedRedis
  beatMs: number
  metrics: Pick<GatewayMetrics, 'rewritten'>
  /** What operators may read of this node. */
  about(): NodeAbout
  /** An operator asks, with each beat until it is done. */
  onDrainAsked(wish: DrainWish): void
  /** The subscription was interrupted: events of other processes may have passed by. */
  onInterrupted(): void
  /** A newer connection of the same device took this one's place, on whatever node. */
  onReplaced(peer: Peer): void
  log: Logger
}

export class NodePresence {
  readonly #deps: NodePresenceDeps
  readonly #timers: NodeJS.Timeout[] = []
  /** The number of the last publish that arrived in the inbox. */
  #inboxNumber = 0
  /** Of the server that this node has written everything to; see enter() in prelude.lua. */
  #generation: string | undefined
  #restoring: Promise<void> | undefined
  readonly #restoringCalls = new Map<LocalCall, Promise<void>>()

  constructor(deps: NodePresenceDeps) {
    this.#deps = deps
  }

  /** Subscribes and beats once, then by itself. Resolves when the first attempts were made, with or without Redis. */
  async start(): Promise<void> {
    const { subscriber, redis, store, nodeId, beatMs } = this.#deps
    subscriber.on('messageBuffer', (_channel: Buffer, payload: Buffer) => this.#receive(payload))
    // What was published in between is in the logs and in Postgres.
    subscriber.on('resubscribed', () => {
      this.#catchUpAll()
      this.#deps.onInterrupted()
    })
    subscriber.subscribe(store.keys.inbox(nodeId)).catch(() => {
      // Without Redis at the start: ioredis keeps the wish and subscribes when it comes.
    })
    // A node that does not beat counts for nothing, so it waits for its first beat, but not for a Redis that is away.
    await settled(redis, FIRST_CONTACT_MS)
    await this.#beat()
    // A Redis that comes back may have lost everything: the next beat tells at once.
    redis.on('ready', () => void this.#beat())
    this.#timers.push(setInterval(() => void this.#beat(), beatMs))
    this.#timers.push(setInterval(() => void this.#keepAlive(), KEEP_ALIVE_MS))
  }

  async #beat(): Promise<void> {
    try {
      const before = this.#inboxNumber
      const history = this.#deps.rewriteFirst.current
      const { known, inboxNumber, drain, generation } = await this.#deps.store.beat(this.#deps.about())
      if (drain !== undefined) this.#deps.onDrainAsked(drain)
      // Remembered only when it is done: a run that fails is made again.
      if (!known) this.#generation = undefined
      if (this.#generation !== generation) {
        await this.restoreAll(known ? 'another server took over' : 'the cluster did not know this node')
        this.#generation = generation
      }
      this.#deps.rewriteFirst.done(history)
      // The counter starts again with a wiped Redis; otherwise a number that did not arrive since the last beat is lost.
      if (inboxNumber < this.#inboxNumber) this.#inboxNumber = inboxNumber
      else if (inboxNumber > before && this.#inboxNumber === before) {
        this.#inboxNumber = inboxNumber
        this.#catchUpAll()
      }
    } catch (error) {
      this.#deps.log.debug({ err: (error as Error).message }, 'beat not taken')
    }
  }

  #receive(payload: Buffer): void {
    const { number, items } = parseInbox(payload)
    const missed = number > this.#inboxNumber + 1
    this.#inboxNumber = number
    for (const item of items) {
      if (item.kind === 'replaced') {
        const peer = this.#deps.registry.peers.get(item.connectionId)
        if (peer !== undefined) this.#deps.onReplaced(peer)
        continue
      }
      const call = this.#deps.registry.calls.get(item.callId)
      if (call === undefined) continue
      if (item.kind === 'message') this.#deps.delivery.deliver(call, item.entry)
      else this.#deps.membership.onAnnouncement(call, item)
    }
    if (missed) this.#catchUpAll()
  }

  #catchUpAll(): void {
    for (const call of this.#deps.registry.calls.values()) this.#deps.delivery.catchUp(call)
  }

  /** Writes every connection and every seat of this node again. Calls that come meanwhile join the run under way. */
  restoreAll(why: string): Promise<void> {
    this.#restoring ??= this.#restore(why).finally(() => {
      this.#restoring = undefined
    })
    return this.#restoring
  }

  async #restore(why: string): Promise<void> {
    const { registry, connections, rewriteFirst, nodeId, log } = this.#deps
    this.#deps.metrics.rewritten.inc()
    const history = rewriteFirst.current
    const messages = await this.#deps.recent.writeAgain(this.#deps.store, (callId, result) => {
      const call = registry.calls.get(callId)
      if (call !== undefined && !result.seen) this.#deps.delivery.deliver(call, result.entry)
    })
    // Seats may be written beside new messages: whoever is not in the roster yet reads the log when it is.
    rewriteFirst.done(history)
    await this.#deps.membership.restoreGraces()
    await connections.restore(registry.records(), nodeId)
    const calls = [...registry.calls.values()]
    for (let at = 0; at < calls.length; at += RESTORE_CONCURRENCY)
      await Promise.all(calls.slice(at, at + RESTORE_CONCURRENCY).map((call) => this.restoreCall(call)))
    if (calls.length + messages > 0) log.warn({ calls: calls.length, messages }, `wrote this node again: ${why}`)
  }

  /** Writes the seats of one call again; one run at a time for each call. */
  restoreCall(call: LocalCall): Promise<void> {
    const running = this.#restoringCalls.get(call)
    if (running !== undefined) return running
    const restoring = this.#restoreCall(call).finally(() => this.#restoringCalls.delete(call))
    this.#restoringCalls.set(call, restoring)
    return restoring
  }

  async #restoreCall(call: LocalCall): Promise<void> {
    if (call.over) return
    await this.#deps.store.setFacts(call.facts)
    for (const peer of call.peers) if (peer.roomState === 'joined') await this.#deps.membership.restore(call, peer)
  }

  async #keepAlive(): Promise<void> {
    const { registry, store, log } = this.#deps
    try {
      await store.keepAlive(registry.calls.keys(), registry.userIds())
    } catch (error) {
      log.debug({ err: (error as Error).message }, 'rooms not refreshed')
    }
  }

  /** Stops beating. With `forget` the cluster need not wait for the lease to know. */
  async stop(forget: boolean): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    if (forget) await this.#deps.store.forgetNode().catch(() => {})
  }
}
