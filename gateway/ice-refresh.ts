/**
 * TURN credentials over the signaling connection (additive): a call may outlive those that it began with. Nobody gets a
 * message that it did not ask for: a client of the contract alone never sees one.
 */
import type { Config } from '../core/platform/config.ts'
import { iceServersFor } from '../core/platform/ice-servers.ts'
import type { GatewayMetrics } from './gateway-metrics.ts'
import type { Peer } from './peer.ts'

/** New credentials are sent after so much of the old ones' life, spread so that calls which began together part. */
const REFRESH_AFTER = { from: 0.7, to: 0.8 }

export class IceRefresh {
  readonly #ice: Config['ice']
  readonly #metrics: GatewayMetrics
  readonly #timers = new Map<Peer, NodeJS.Timeout>()

  constructor(ice: Config['ice'], metrics: GatewayMetrics) {
    this.#ice = ice
    this.#metrics = metrics
  }

  /** Answers a joined peer's request; where there are TURN servers it gets new credentials from now on, before they end. */
  asked(peer: Peer): void {
    this.forget(peer)
    this.#send(peer, 'request')
  }

  /** The connection is over. */
  forget(peer: Peer): void {
    clearTimeout(this.#timers.get(peer))
    this.#timers.delete(peer)
  }

  #send(peer: Peer, cause: 'request' | 'refresh'): void {
    this.#metrics.iceServers.inc({ cause })
    // A call connection stays authorised until the call is over, so its identity is good for credentials, too.
    const servers = iceServersFor(this.#ice, peer.identity, new Date())
    peer.send({ type: 'ice-servers', call_id: peer.callId ?? '', ...servers })
    if (this.#ice.turnUrls.length === 0) return
    const { from, to } = REFRESH_AFTER
    const afterMs = this.#ice.turnTtlSeconds * 1000 * (from + (to - from) * Math.random())
    this.#timers.set(peer, setTimeout(() => this.#refresh(peer), afterMs).unref())
  }

  #refresh(peer: Peer): void {
    this.#timers.delete(peer)
    if (!peer.closed && peer.roomState === 'joined') this.#send(peer, 'refresh')
  }
}
