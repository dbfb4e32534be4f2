/**
 * What a client says of its peer connection's quality, read with suspicion: it feeds metrics that all clients share, so
 * that a value which cannot be true is left out. Names and units are in docs/signaling-protocol.md, "connection-state".
 */

/** How media travels, as the client sees it; the label of the metrics. */
export type Path = 'relay' | 'direct' | 'unknown'

export interface ConnectionStats {
  rttSeconds?: number
  jitterSeconds?: number
  lossRatio?: number
  inboundBytesPerSecond?: number
  outboundBytesPerSecond?: number
  path: Path
  /** Fields that are known, but whose values cannot be true. */
  ignored: number
}

/** A minute of delay is a dead connection, not a slow one; a gigabit a second is more than any call sends. */
const MAX_MS = 60_000
const MAX_BPS = 1e9

/** Reads the known fields; others are none of ours. Throws nothing, whatever it is given. */
export function readConnectionStats(stats: Record<string, unknown>): ConnectionStats {
  let ignored = 0
  const read = (field: string, max: number, divisor: number): number | undefined => {
    const value = stats[field]
    if (value === undefined || value === null) return undefined
    if (typeof value === 'number' && value >= 0 && value <= max) return value / divisor
    ignored += 1
    return undefined
  }
  const path = pathOf(stats.candidate_type)
  if (path === undefined) ignored += 1
  return {
    rttSeconds: read('rtt_ms', MAX_MS, 1000),
    jitterSeconds: read('jitter_ms', MAX_MS, 1000),
    lossRatio: read('packet_loss_ratio', 1, 1),
    inboundBytesPerSecond: read('inbound_bitrate_bps', MAX_BPS, 8),
    outboundBytesPerSecond: read('outbound_bitrate_bps', MAX_BPS, 8),
    path: path ?? 'unknown',
    ignored,
  }
}

/** The types of a candidate (RFC 8445 section 5.1.1); undefined for anything else that stands there. */
function pathOf(type: unknown): Path | undefined {
  if (type === undefined || type === null) return 'unknown'
  if (type === 'relay') return 'relay'
  return type === 'host' || type === 'srflx' || type === 'prflx' ? 'direct' : undefined
}
