/** The gateway's metrics. Labels are bounded: types, transports, codes; never an id. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { LeanHistogram } from '../core/platform/lean-histogram.ts'
import type { GateCounts } from './admission-gate.ts'
import { MessageCounter } from './message-counter.ts'
import { createRelayMetrics } from './relay-metrics.ts'

export type GatewayMetrics = ReturnType<typeof createGatewayMetrics>

export function createGatewayMetrics(registry: Registry) {
  return {
    ...createConnectionMetrics(registry),
    ...createRoomMetrics(registry),
    relay: createRelayMetrics(registry),
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
    events: new MessageCounter({
      name: 'signaling_events_sent_total',
      help: 'Messages of the service itself to clients, acks aside, by type and transport.',
      registry,
    }),
    errors: new Counter({
      name: 'signaling_errors_total',
      help: 'Error messages sent to clients by code.',
      labelNames: ['code'],
      registers: [registry],
    }),
    iceServers: new Counter({
      name: 'signaling_ice_servers_sent_total',
      help: 'ICE servers sent to peers, by cause (request, refresh).',
      labelNames: ['cause'],
      registers: [registry],
    }),
  }
}

function createConnectionMetrics(registry: Registry) {
  const registers = [registry]
  return {
    connections: new Gauge({
      name: 'signaling_connections',
      help: 'Open connections by kind (call, user) and transport.',
      labelNames: ['kind', 'transport'],
      registers,
    }),
    opened: new Counter({
      name: 'signaling_connections_opened_total',
      help: 'Connections opened by kind and transport.',
      labelNames: ['kind', 'transport'],
      registers,
    }),
    closed: new Counter({
      name: 'signaling_connections_closed_total',
      help: 'Connections ended by kind, transport and cause.',
      labelNames: ['kind', 'transport', 'cause'],
      registers,
    }),
    refusals: new Counter({
      name: 'signaling_refused_handshakes_total',
      help: 'Handshakes refused, by error code and transport.',
      labelNames: ['code', 'transport'],
      registers,
    }),
    handshakeSeconds: new LeanHistogram({
      name: 'signaling_handshake_seconds',
      help: 'From a handshake to the word that it is admitted or refused, waiting for its turn included.',
      buckets: [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5],
      labelNames: ['outcome'],
      registry,
    }),
  }
}

function createRoomMetrics(registry: Registry) {
  const registers = [registry]
  return {
    joins: new Counter({
      name: 'signaling_joins_total',
      help: 'Joins of rooms by mode (naive, since, restore) and outcome (joined, failed).',
      labelNames: ['mode', 'outcome'],
      registers,
    }),
    bothJoined: new Histogram({
      name: 'call_joined_seconds',
      help: 'From the answer of a call to the moment when both of its users were in its room for the first time.',
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60],
      registers,
    }),
    replayed: new Counter({
      name: 'signaling_replayed_messages_total',
      help: 'Messages that peers got from the log: waiting for them, missed, or after a gap.',
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
    resumes: new Counter({
      name: 'signaling_resumes_total',
      help: 'Handshakes with since, by whether everything was recovered.',
      labelNames: ['recovered'],
      registers,
    }),
    rewritten: new Counter({
      name: 'signaling_node_rewrites_total',
      help: 'Times that this node wrote all it knows again: at its start, after a wipe, or after it was taken for dead.',
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
