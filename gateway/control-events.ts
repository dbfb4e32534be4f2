/**
 * Changes of calls, published by the processes that own them: what this node's peers are told of them, and whose
 * connection ends with them. Events are wishes to look, not truth: an older version changes nothing.
 */
import { type Call, isLive } from '../core/calls/call.ts'
import type { Logger } from '../core/platform/logger.ts'
import type { CallChanged } from '../core/protocol/cluster-events.ts'
import { isUuid } from '../core/protocol/ids.ts'
import { type CallStatusMessage, CLOSE } from '../core/protocol/signaling.ts'
import type { RoomStore } from '../core/rooms/room-store.ts'
import type { FinishedCalls } from './finished-calls.ts'
import type { KnownCalls } from './known-calls.ts'
import { type LocalCall, statusMessage } from './local-call.ts'
import type { Peer } from './peer.ts'
import { isElsewhere } from './peer-lifecycle.ts'
import type { PeerRegistry } from './peer-registry.ts'
import type { Quality } from './quality.ts'
import type { Rings } from './rings.ts'

/** Calls a user channel was told of that are remembered, to hold back an older status that comes late. */
const VERSIONS_KEPT = 64
/** Calls read from Postgres at once after an interruption. */
const READ_CONCURRENCY = 16
const READ_AGAIN_MS = 500

interface ControlDeps {
  registry: PeerRegistry
  known: KnownCalls
  store: RoomStore
  quality: Quality
  rings: Rings
  finished: FinishedCalls
  calls: { find(callId: string): Promise<Call | undefined> }
  log: Logger
}

export class ControlEvents {
  readonly #deps: ControlDeps
  #closed = false

  constructor(deps: ControlDeps) {
    this.#deps = deps
  }

  onChanged(event: CallChanged): void {
    if (!isCallChanged(event)) return
    const { message } = event
    const { registry } = this.#deps
    registry.rememberStatus(message)
    if (!isLive(message)) this.#deps.finished.note(message.call_id)
    for (const userId of [event.caller_id, event.callee_id])
      for (const channel of registry.channelsOf(userId)) tell(channel, message)
    const call = registry.calls.get(message.call_id)
    if (call?.update(message)) this.#apply(call)
    // Last: it may be the same object, and what is not news any more is not told.
    this.#deps.known.update(message)
  }

  #apply(call: LocalCall): void {
    if (call.over) this.#deps.quality.over(call)
    for (const peer of [...call.peers]) {
      tell(peer, call.status)
      if (call.over) peer.close(CLOSE.CALL_OVER, 'call over')
      else if (isElsewhere(call, peer)) peer.close(CLOSE.CALL_OVER, 'answered on another device')
    }
    this.#deps.store.setFacts(call.facts).catch(() => {
      // Written again with the next change or restore; Postgres is asked first anyway.
    })
  }

  /**
   * Events may have passed by: reads the state of every call of this node from Postgres until it could be read, also of
   * those that only user channels have heard of, and rings for what rings by now.
   */
  async rereadAll(): Promise<void> {
    this.#deps.known.forget()
    const { registry, rings } = this.#deps
    rings.lookUpAll()
    const ids = new Set(registry.calls.keys())
    for (const channel of registry.channels()) for (const id of channel.versions.keys()) ids.add(id)
    const live = [...ids].filter((id) => isLive(registry.newestStatus(id) ?? { status: 'connecting' }))
    for (let at = 0; at < live.length; at += READ_CONCURRENCY)
      await Promise.all(live.slice(at, at + READ_CONCURRENCY).map((callId) => this.#reread(callId)))
  }

  async #reread(callId: string): Promise<void> {
    while (!this.#closed) {
      try {
        const found = await this.#deps.calls.find(callId)
        if (found === undefined) return
        this.onChanged({ caller_id: found.callerId, callee_id: found.calleeId, message: statusMessage(found) })
        return
      } catch (error) {
        this.#deps.log.debug({ callId, err: (error as Error).message }, 'call not readable yet')
        await new Promise((resolve) => setTimeout(resolve, READ_AGAIN_MS))
      }
    }
  }

  close(): void {
    this.#closed = true
  }
}

/** Sends a status unless the connection already knows a newer one, or this one. */
function tell(peer: Peer, status: CallStatusMessage): void {
  if ((peer.versions.get(status.call_id) ?? 0) >= status.version) return
  peer.versions.set(status.call_id, status.version)
  const [oldest] = peer.versions.keys()
  if (peer.versions.size > VERSIONS_KEPT && oldest !== undefined) peer.versions.delete(oldest)
  peer.send(status)
}

/** Anything may come over a Redis channel. */
function isCallChanged(event: CallChanged | undefined): event is CallChanged {
  const message = event?.message
  return (
    isUuid(event?.caller_id) &&
    isUuid(event?.callee_id) &&
    message?.type === 'call-status' &&
    isUuid(message.call_id) &&
    Number.isInteger(message.version) &&
    (isLive(message) || message.status === 'ended' || message.status === 'failed')
  )
}
