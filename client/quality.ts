/** Reports of the peer connection to the service, as "connection-state" of the signaling protocol describes them. */
import type { ConnectionStateMessage } from '../core/protocol/signaling.ts'
import type { PeerConnection } from './platform.ts'

type State = ConnectionStateMessage['state']
type Stat = Record<string, unknown> & { id: string; type: string }

/** The service hears a connection once in 5 s; this is the protocol's advice. */
const EVERY_MS = 10_000

interface Totals {
  at: number
  lost: number
  received: number
  bytesIn: number
  bytesOut: number
}

export class QualityReports {
  readonly #connection: PeerConnection
  readonly #report: (state: State, stats?: Record<string, unknown>) => void
  readonly #timer: ReturnType<typeof setInterval>
  #before: Totals | undefined
  #last: State | undefined

  constructor(connection: PeerConnection, report: (state: State, stats?: Record<string, unknown>) => void) {
    this.#connection = connection
    this.#report = report
    this.#timer = setInterval(() => {
      if (this.#state() === 'connected') void this.send()
    }, EVERY_MS)
  }

  /** The state has changed. */
  changed(): void {
    if (this.#state() !== this.#last) void this.send()
  }

  /** Reports how it is now; also due after each join, as the report belongs to the signaling connection. */
  async send(): Promise<void> {
    const state = this.#state()
    if (state === undefined) return
    this.#last = state
    this.#report(state, state === 'connected' ? await this.#stats() : undefined)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #state(): State | undefined {
    const { connectionState } = this.#connection
    if (connectionState === 'closed') return undefined
    return connectionState === 'new' ? 'connecting' : connectionState
  }

  async #stats(): Promise<Record<string, unknown> | undefined> {
    try {
      const report = await this.#connection.getStats?.()
      const stats: Stat[] = []
      report?.forEach((stat: Stat) => void stats.push(stat))
      return stats.length === 0 ? undefined : this.#read(stats)
    } catch {
      // Some stacks have none; the state is worth reporting all the same.
      return undefined
    }
  }

  #read(stats: Stat[]): Record<string, unknown> {
    const inbound = stats.filter(({ type }) => type === 'inbound-rtp')
    const outbound = stats.filter(({ type }) => type === 'outbound-rtp')
    const now: Totals = {
      at: Date.now(),
      lost: sum(inbound, 'packetsLost'),
      received: sum(inbound, 'packetsReceived'),
      bytesIn: sum(inbound, 'bytesReceived'),
      bytesOut: sum(outbound, 'bytesSent'),
    }
    const jitters = inbound.map(({ jitter }) => jitter).filter((value) => typeof value === 'number')
    const fields = {
      ...pathOf(stats),
      ...(jitters.length === 0 ? {} : { jitter_ms: Math.max(...jitters) * 1000 }),
      ...(this.#before === undefined ? {} : since(this.#before, now)),
    }
    this.#before = now
    return fields
  }
}

/** What grew between two reports. */
function since(before: Totals, now: Totals): Record<string, number> {
  const seconds = (now.at - before.at) / 1000
  if (seconds <= 0) return {}
  const lost = Math.max(0, now.lost - before.lost)
  const through = lost + Math.max(0, now.received - before.received)
  return {
    ...(through === 0 ? {} : { packet_loss_ratio: lost / through }),
    inbound_bitrate_bps: Math.max(0, ((now.bytesIn - before.bytesIn) * 8) / seconds),
    outbound_bitrate_bps: Math.max(0, ((now.bytesOut - before.bytesOut) * 8) / seconds),
  }
}

function pathOf(stats: Stat[]): Record<string, unknown> {
  const byId = new Map(stats.map((stat) => [stat.id, stat]))
  const named = stats.find(({ selectedCandidatePairId }) => selectedCandidatePairId !== undefined)
  const pair =
    byId.get(String(named?.selectedCandidatePairId)) ??
    stats.find(({ type, nominated, state }) => type === 'candidate-pair' && nominated === true && state === 'succeeded')
  if (pair === undefined) return {}
  const [local, remote] = [pair.localCandidateId, pair.remoteCandidateId].map(
    (id) => byId.get(String(id))?.candidateType,
  )
  const rtt = pair.currentRoundTripTime
  return {
    ...(typeof rtt === 'number' ? { rtt_ms: rtt * 1000 } : {}),
    ...(local === undefined ? {} : { candidate_type: remote === 'relay' ? 'relay' : local }),
  }
}

function sum(stats: Stat[], field: string): number {
  return stats.reduce((total, stat) => total + (typeof stat[field] === 'number' ? stat[field] : 0), 0)
}
