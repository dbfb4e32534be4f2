/** What clients report of their calls' media, as metrics. Labels: two types of call, three paths; never an id. */
import { Counter, Histogram, type Registry } from 'prom-client'

export type QualityMetrics = ReturnType<typeof createQualityMetrics>

export function createQualityMetrics(registry: Registry) {
  const registers = [registry]
  return {
    reports: new Counter({
      name: 'webrtc_connection_reports_total',
      help: 'Reports of clients about their peer connections by state and type of call.',
      labelNames: ['state', 'type'],
      registers,
    }),
    outcomes: new Counter({
      name: 'webrtc_connections_total',
      help: 'Sides of calls by what became of their peer connection: connected, failed, never, lost.',
      labelNames: ['outcome', 'type', 'path'],
      registers,
    }),
    establishment: new Histogram({
      name: 'webrtc_establishment_seconds',
      help: 'Time to the first report of connected: from the join of the room, and from the answer of the call.',
      labelNames: ['stage', 'type', 'path'],
      buckets: [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60],
      registers,
    }),
    rtt: new Histogram({
      name: 'webrtc_rtt_seconds',
      help: 'Round-trip times that clients report.',
      labelNames: ['type', 'path'],
      buckets: [0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5],
      registers,
    }),
    jitter: new Histogram({
      name: 'webrtc_jitter_seconds',
      help: 'Jitter that clients report.',
      labelNames: ['type', 'path'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5],
      registers,
    }),
    loss: new Histogram({
      name: 'webrtc_packet_loss_ratio',
      help: 'Share of packets that clients report as lost, 0 to 1.',
      labelNames: ['type', 'path'],
      buckets: [0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5],
      registers,
    }),
    throughput: new Histogram({
      name: 'webrtc_throughput_bytes_per_second',
      help: 'Media bitrates that clients report, in bytes, by direction.',
      labelNames: ['direction', 'type', 'path'],
      // 16 kbit/s, a thin voice, to 8 Mbit/s, a fat video; each step doubles or so.
      buckets: [2e3, 4e3, 8e3, 16e3, 32e3, 64e3, 125e3, 250e3, 500e3, 1e6],
      registers,
    }),
    ignored: new Counter({
      name: 'webrtc_stats_ignored_total',
      help: 'Reported statistics left out: values that cannot be true, or reports that came too soon.',
      labelNames: ['reason'],
      registers,
    }),
  }
}
