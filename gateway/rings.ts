/**
 * Rings of calls on this node's user channels: at once where a call is created, and on a channel that opens, or missed the
 * event, while the call still rings. Postgres is asked for the latter, so a channel never waits for an event that has
 * passed; whatever comes first wins, as a channel rings once for a call and never for one that is known to be over.
 */
import type { Logger } from '../core/platform/logger.ts'
import type { CallRinging } from '../core/protocol/cluster-events.ts'
import { isUuid } from '../core/protocol/ids.ts'
import type { Peer } from './peer.ts'
import type { PeerRegistry } from './peer-registry.ts'

/** Channels asked for in one statement. After a node's death its channels open by the thousand elsewhere. */
const CHANNELS_AT_ONCE = 500
const ASK_AGAIN_MS = 500

interface RingDeps {
  registry: PeerRegistry
  calls: { rings: { ringsOf(userIds: string[]): Promise<CallRinging[]> } }
  log: Logger
}

export class Rings {
  readonly #deps: RingDeps
  /** The call that a channel rang for last: a user is in one live call at most. */
  readonly #rang = new WeakMap<Peer, string>()
  /** Channels whose users Postgres has not been asked about. */
  readonly #unasked = new Set<Peer>()
  #asking: Promise<void> | undefined
  #closed = false

  constructor(deps: RingDeps) {
    this.#deps = deps
  }

  /** A call was created, by an event. */
  onRinging(event: CallRinging): void {
    // Anything may come over a Redis channel.
    if (!isUuid(event?.callee_id) || event.message?.type !== 'incoming-call' || !isUuid(event.message.call_id)) return
    for (const channel of this.#deps.registry.channelsOf(event.callee_id)) this.#ring(channel, event)
  }

  /** Rings the channel for a call that rings already, as soon as Postgres can tell. */
  lookUp(channel: Peer): void {
    this.#unasked.add(channel)
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
  }

  /** Events may have passed by: asks for every channel of this node. */
  lookUpAll(): void {
    for (const channel of this.#deps.registry.channels()) this.lookUp(channel)
  }

  close(): void {
    this.#closed = true
  }

  /** One statement at a time: what opens meanwhile is asked about together. */
  async #ask(): Promise<void> {
    while (this.#unasked.size > 0 && !this.#closed) {
      const channels = [...this.#unasked].slice(0, CHANNELS_AT_ONCE)
      for (const channel of channels) this.#unasked.delete(channel)
      try {
        await this.#askFor(channels.filter(({ closed }) => !closed))
      } catch (error) {
        for (const channel of channels) this.#unasked.add(channel)
        this.#deps.log.debug({ channels: channels.length, err: (error as Error).message }, 'rings not readable yet')
        await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS))
      }
    }
  }

  async #askFor(channels: Peer[]): Promise<void> {
    if (channels.length === 0) return
    const rings = await this.#deps.calls.rings.ringsOf([...new Set(channels.map(({ userId }) => userId))])
    const byUser = new Map(rings.map((ring) => [ring.callee_id, ring]))
    for (const channel of channels) {
      const ring = byUser.get(channel.userId)
      if (ring !== undefined) this.#ring(channel, ring)
    }
  }

  #ring(channel: Peer, { message }: CallRinging): void {
    if (channel.closed || this.#rang.get(channel) === message.call_id) return
    // Events of several processes may overtake each other: a ring that comes after its answer or end would never stop.
    const known = this.#deps.registry.newestStatus(message.call_id)
    if (known !== undefined && known.status !== 'connecting') return
    this.#rang.set(channel, message.call_id)
    if (!channel.versions.has(message.call_id)) channel.versions.set(message.call_id, 1)
    channel.send(message)
  }
}
