/** The gateway's metrics. Labels are bounded: types, transports, codes; never an id. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { GateCounts } from './admission-gate.ts'
import { MessageCounter } from './message-counter.ts'

export type GatewayMetrics = ReturnType<typeof createGatewayMetrics>

export function createGatewayMetrics(registry: Registry) {
  const registers = [registry]
  return {
    connections: new Gauge({
      name: 'signaling_connections',
      help: 'Open connections by kind (call, user) and transport.',
      labelNames: ['kind', 'transport'],
      registers,
    }),
    refusals: new Counter({
      name: 'signaling_refused_handshakes_total',
      help: 'Handshakes refused, by error code and transport.',
      labelNames: ['code', 'transport'],
      registers,
    }),
    received: new MessageCounter({
      name: 'signaling_messages_received_total',
      help: 'Messages from clients by type and transport.',
      registry,
    }),
    delivered: new MessageCounter({
      name: 'signaling_messages_delivered_total',
      help: 'Relayed messages handed to peers by type and transport.',
      registry,
    }),
    errors: new Counter({
      name: 'signaling_errors_total',
      help: 'Error messages sent to clients by code.',
      labelNames: ['code'],
      registers,
    }),
    flushSize: new Histogram({
      name: 'signaling_relay_flush_messages',
      help: 'Messages in one flush to the log.',
      buckets: [1, 2, 5, 10, 25, 50, 100, 256],
      registers,
    }),
    flushSeconds: new Histogram({
      name: 'signaling_relay_flush_seconds',
      help: 'Time from sending a flush to the reply of the log.',
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2],
      registers,
    }),
    gaps: new Counter({
      name: 'signaling_delivery_gaps_total',
      help: 'Entries that arrived before an earlier one; the log was read in between.',
      registers,
    }),
    incompleteReplays: new Counter({
      name: 'signaling_incomplete_replays_total',
      help: 'Replays after which a client was told that messages may be missing.',
      registers,
    }),
    iceServers: new Counter({
      name: 'signaling_ice_servers_sent_total',
      help: 'ICE servers sent to peers, by cause (request, refresh).',
      labelNames: ['cause'],
      registers,
    }),
    resumes: new Counter({
      name: 'signaling_resumes_total',
      help: 'Handshakes with since, by whether everything was recovered.',
      labelNames: ['recovered'],
      registers,
    }),
  }
}

/** Handshakes by what they do now; `counts` is asked at each scrape. */
export function observeHandshakes(registry: Registry, counts: () => GateCounts): void {
  new Gauge({
    name: 'signaling_handshakes',
    help: 'Handshakes under way, waiting for their turn, and how many may be under way at once now.',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      const { underWay, waiting, limit } = counts()
      this.set({ state: 'under_way' }, underWay)
      this.set({ state: 'waiting' }, waiting)
      this.set({ state: 'limit' }, limit)
    },
  })
}
