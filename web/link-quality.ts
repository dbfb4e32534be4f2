/** How good the connection is, from two looks at its statistics (W3C, "Identifiers for WebRTC's Statistics API"). */

export interface LinkSample {
  atMs: number
  rttMs: number | undefined
  jitterMs: number | undefined
  packetsLost: number
  packetsReceived: number
  bytesReceived: number
  bytesSent: number
  isRelayed: boolean
}

export type Grade = 'good' | 'fair' | 'poor'

export interface LinkQuality {
  grade: Grade
  rttMs: number | undefined
  jitterMs: number | undefined
  /** Of what was sent to us since the look before; undefined where nothing was. */
  lossRatio: number | undefined
  receivedBps: number
  sentBps: number
  isRelayed: boolean
}

type Stat = Record<string, unknown>

/** From when on people notice (ITU-T G.114: 150 ms one way) and are disturbed. Losses: Opus conceals a few percent. */
const FAIR = { rttMs: 200, jitterMs: 40, lossRatio: 0.02 }
const POOR = { rttMs: 400, jitterMs: 100, lossRatio: 0.08 }

/** What matters here of a report. */
export function sampleOf(stats: Iterable<Stat>, atMs: number): LinkSample {
  const all = [...stats]
  const inbound = all.filter(({ type }) => type === 'inbound-rtp')
  const outbound = all.filter(({ type }) => type === 'outbound-rtp')
  const pair = selectedPair(all)
  const rtt = pair?.currentRoundTripTime
  const jitters = inbound.flatMap(({ jitter }) => (typeof jitter === 'number' ? [jitter * 1000] : []))
  const ends = [pair?.localCandidateId, pair?.remoteCandidateId].map((id) => all.find((stat) => stat.id === id))
  return {
    atMs,
    rttMs: typeof rtt === 'number' ? rtt * 1000 : undefined,
    jitterMs: jitters.length === 0 ? undefined : Math.max(...jitters),
    packetsLost: sum(inbound, 'packetsLost'),
    packetsReceived: sum(inbound, 'packetsReceived'),
    bytesReceived: sum(inbound, 'bytesReceived'),
    bytesSent: sum(outbound, 'bytesSent'),
    isRelayed: ends.some((end) => end?.candidateType === 'relay'),
  }
}

/** What happened between two looks. */
export function qualityBetween(before: LinkSample, now: LinkSample): LinkQuality {
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1000)
  const lost = Math.max(0, now.packetsLost - before.packetsLost)
  const received = Math.max(0, now.packetsReceived - before.packetsReceived)
  const lossRatio = lost + received === 0 ? undefined : lost / (lost + received)
  const { rttMs, jitterMs, isRelayed } = now
  return {
    grade: gradeOf({ rttMs, jitterMs, lossRatio }),
    rttMs,
    jitterMs,
    lossRatio,
    receivedBps: (Math.max(0, now.bytesReceived - before.bytesReceived) * 8) / seconds,
    sentBps: (Math.max(0, now.bytesSent - before.bytesSent) * 8) / seconds,
    isRelayed,
  }
}

function gradeOf(link: Pick<LinkQuality, 'rttMs' | 'jitterMs' | 'lossRatio'>): Grade {
  // Silence of a muted microphone is sent, too: where nothing arrives, something is wrong.
  if (link.lossRatio === undefined) return 'poor'
  if (exceeds(link, POOR)) return 'poor'
  return exceeds(link, FAIR) ? 'fair' : 'good'
}

function exceeds(link: Pick<LinkQuality, 'rttMs' | 'jitterMs' | 'lossRatio'>, limit: typeof FAIR): boolean {
  return (['rttMs', 'jitterMs', 'lossRatio'] as const).some((field) => (link[field] ?? 0) > limit[field])
}

function selectedPair(stats: Stat[]): Stat | undefined {
  const transport = stats.find(({ type, selectedCandidatePairId }) => type === 'transport' && selectedCandidatePairId)
  return (
    stats.find(({ id }) => id !== undefined && id === transport?.selectedCandidatePairId) ??
    stats.find(({ type, nominated, state }) => type === 'candidate-pair' && nominated === true && state === 'succeeded')
  )
}

function sum(stats: Stat[], field: string): number {
  return stats.reduce((total, { [field]: value }) => total + (typeof value === 'number' ? value : 0), 0)
}
