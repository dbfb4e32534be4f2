/**
 * What clients report of their peer connections: the status that `GET status` shows, and the metrics of set-up and
 * quality. A report is a client's word: it is counted once for each side of a call, or once in a while, whoever repeats it.
 */
import type { ConnectionStateMessage } from '../core/protocol/signaling.ts'
import type { ConnectionReports, Outcome } from '../core/rooms/connection-reports.ts'
import type { Side } from '../core/rooms/room.ts'
import { type ConnectionStats, type Path, readConnectionStats } from './connection-stats.ts'
import type { LocalCall } from './local-call.ts'
import type { Peer } from './peer.ts'
import type { QualityMetrics } from './quality-metrics.ts'
import type { Witness } from './witness.ts'

/** A connection is heard for the quality metrics once in so long, and its unchanged state is written again as seldom. */
const SAMPLE_EVERY_MS = 5000
/** What takes longer is no set-up: the client reported late. Twice the longest wait for a set-up and a ring. */
const ESTABLISHMENT_MAX_SECONDS = 300

type State = ConnectionStateMessage['state']

/** What one side of a call has reported to this node. */
interface SideReports {
  connected: boolean
  /** The outcome of the set-up is counted, here or on another node. */
  decided: boolean
  lost: boolean
  path: Path
}

/** What one connection has reported. */
interface PeerReports {
  state: State | undefined
  writtenAt: number
  sampledAt: number
}

export class Quality {
  readonly #rooms: ConnectionReports
  readonly #metrics: QualityMetrics
  readonly #witness: Witness
  readonly #sides = new WeakMap<LocalCall, Partial<Record<Side, SideReports>>>()
  readonly #peers = new WeakMap<Peer, PeerReports>()

  constructor(rooms: ConnectionReports, metrics: QualityMetrics, witness: Witness) {
    this.#rooms = rooms
    this.#metrics = metrics
    this.#witness = witness
  }

  /** Takes a report of a joined peer. Whether the other participant hears of it is not decided here. */
  report(peer: Peer, call: LocalCall, { state, stats: given }: ConnectionStateMessage): void {
    const now = performance.now()
    const side = this.#sideOf(call, peer.side)
    const reports = this.#peers.get(peer) ?? { state: undefined, writtenAt: -Infinity, sampledAt: -Infinity }
    this.#peers.set(peer, reports)
    this.#metrics.reports.inc({ state, type: call.type })
    const stats = given === undefined ? undefined : readConnectionStats(given)
    if (stats !== undefined && stats.path !== 'unknown') side.path = stats.path
    if (stats !== undefined && state === 'connected')
      this.#sample(stats, { type: call.type, path: side.path }, reports, now)
    if (state !== reports.state) this.#witness.reported(call, peer, state, side.path)
    this.#write(peer, call, state, reports, now)
    this.#weigh(peer, call, state, side)
  }

  /** The call is over: a side that reported, and neither connected nor failed, never will. */
  over(call: LocalCall): void {
    const sides = this.#sides.get(call)
    if (sides === undefined) return
    this.#sides.delete(call)
    for (const side of ['a', 'b'] as const) {
      const reports = sides[side]
      if (reports !== undefined && !reports.decided) void this.#decide(call, side, reports, 'never')
    }
  }

  #sideOf(call: LocalCall, side: Side): SideReports {
    const sides = this.#sides.get(call) ?? {}
    this.#sides.set(call, sides)
    sides[side] ??= { connected: false, decided: false, lost: false, path: 'unknown' }
    return sides[side]
  }

  #sample(stats: ConnectionStats, labels: { type: string; path: Path }, reports: PeerReports, now: number): void {
    if (now - reports.sampledAt < SAMPLE_EVERY_MS) {
      this.#metrics.ignored.inc({ reason: 'rate' })
      return
    }
    reports.sampledAt = now
    if (stats.ignored > 0) this.#metrics.ignored.inc({ reason: 'value' }, stats.ignored)
    const { rtt, jitter, loss, throughput } = this.#metrics
    if (stats.rttSeconds !== undefined) rtt.observe(labels, stats.rttSeconds)
    if (stats.jitterSeconds !== undefined) jitter.observe(labels, stats.jitterSeconds)
    if (stats.lossRatio !== undefined) loss.observe(labels, stats.lossRatio)
    const { inboundBytesPerSecond: inbound, outboundBytesPerSecond: outbound } = stats
    if (inbound !== undefined) throughput.observe({ ...labels, direction: 'inbound' }, inbound)
    if (outbound !== undefined) throughput.observe({ ...labels, direction: 'outbound' }, outbound)
  }

  /** `failed` is no connection status of the contract: who has failed is disconnected. */
  #write(peer: Peer, call: LocalCall, state: State, reports: PeerReports, now: number): void {
    if (state === reports.state && now - reports.writtenAt < SAMPLE_EVERY_MS) return
    reports.state = state
    reports.writtenAt = now
    this.#rooms.setStatus(call.id, peer.side, state === 'failed' ? 'disconnected' : state).catch(() => {
      // The status is a convenience of GET status; it is reported anew with the next change.
    })
  }

  #weigh(peer: Peer, call: LocalCall, state: State, side: SideReports): void {
    if (state === 'connected' && !side.connected) {
      side.connected = true
      if (!side.decided) void this.#decide(call, peer.side, side, 'connected', secondsTo(call, peer))
    } else if (state === 'failed') {
      if (side.connected) this.#lose(call, side)
      else if (!side.decided) void this.#decide(call, peer.side, side, 'failed')
    }
  }

  #lose(call: LocalCall, side: SideReports): void {
    if (side.lost) return
    side.lost = true
    this.#metrics.outcomes.inc({ outcome: 'lost', type: call.type, path: side.path })
  }

  /** Counts an outcome where the room knows of none yet: the user may have been on other nodes, or have two devices. */
  async #decide(
    call: LocalCall,
    side: Side,
    reports: SideReports,
    outcome: Outcome,
    seconds: Record<string, number> = {},
  ): Promise<void> {
    reports.decided = true
    const labels = { type: call.type, path: reports.path }
    let known: Outcome | undefined
    try {
      known = await this.#rooms.noteOutcome(call.id, side, outcome)
    } catch {
      // Without Redis nobody knows what was counted; the next report tries again.
      reports.decided = false
      reports.connected = false
      return
    }
    if (known === undefined) {
      this.#metrics.outcomes.inc({ outcome, ...labels })
      for (const [stage, value] of Object.entries(seconds))
        if (value <= ESTABLISHMENT_MAX_SECONDS) this.#metrics.establishment.observe({ stage, ...labels }, value)
    } else if (known === 'connected' && outcome === 'failed') {
      this.#lose(call, reports)
    }
  }
}

/** Seconds to now from the join of this connection, and from the answer where there is one, by stage. */
function secondsTo(call: LocalCall, peer: Peer): Record<string, number> {
  const join = (performance.now() - peer.joinedAt) / 1000
  if (call.status.status !== 'active') return { join }
  // The answer has Postgres' clock, now has ours: a small difference must not become a negative time.
  return { join, answer: Math.max(0, (Date.now() - Date.parse(call.status.timestamp)) / 1000) }
}
