/**
 * What becomes of relayed messages, and how long it takes. Counted in plain numbers, as it happens once for each
 * message: the library's labels would cost more than the message's own way through this code.
 */
import { Counter, Gauge, type Registry } from 'prom-client'
import { LeanHistogram } from '../core/platform/lean-histogram.ts'
import type { RelayResult } from '../core/rooms/relay-words.ts'

/** The contract's target for signaling, 200 ms, is a bound; the last is the longest that a message may wait. */
const RELAY_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 20]

export type RelayMetrics = ReturnType<typeof createRelayMetrics>

export function createRelayMetrics(registry: Registry) {
  const registers = [registry]
  const counts = { local: 0, remote: 0, nobody: 0, repeated: 0, failed: 0 }
  const seconds = new LeanHistogram({
    name: 'signaling_relay_seconds',
    help: 'From taking a message from its sender to its place in the log, when it goes to its recipients.',
    buckets: RELAY_BUCKETS_SECONDS,
    registry,
  })
  new Counter({
    name: 'signaling_relayed_messages_total',
    help: 'Messages by where their recipient was: on this node, on others, or nowhere; or repeated, or not kept.',
    labelNames: ['outcome'],
    registers,
    collect() {
      this.reset()
      for (const [outcome, count] of Object.entries(counts)) this.inc({ outcome }, count)
    },
  })
  return {
    /** A message has its place; `tookMs` is how long it waited for it. */
    numbered({ seen, local, remote }: RelayResult, tookMs: number): void {
      seconds.observe(tookMs / 1000)
      if (seen) counts.repeated += 1
      else if (local) counts.local += 1
      else if (remote) counts.remote += 1
      else counts.nobody += 1
    },
    /** A message could not be kept. */
    failed(): void {
      counts.failed += 1
    },
    flushSize: new LeanHistogram({
      name: 'signaling_relay_flush_messages',
      help: 'Messages in one flush to the log.',
      buckets: [1, 2, 5, 10, 25, 50, 100, 256],
      registry,
    }),
    flushSeconds: new LeanHistogram({
      name: 'signaling_relay_flush_seconds',
      help: 'Time from sending a flush to the reply of the log.',
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2],
      registry,
    }),
    flushFailures: new Counter({
      name: 'signaling_relay_flush_failures_total',
      help: 'Flushes that the log did not reply to, or that came before a new server had been told all that the node knows; their messages are sent again.',
      registers,
    }),
    direct: new Counter({
      name: 'signaling_relayed_unnumbered_total',
      help: 'Messages handed to peers on this node without a number, as the log did not reply.',
      registers,
    }),
  }
}

/** What waits for the log now; `counts` is asked at each scrape. */
export function observeWaiting(registry: Registry, waiting: () => number): void {
  new Gauge({
    name: 'signaling_relay_waiting_messages',
    help: 'Messages that wait for their place in the log.',
    registers: [registry],
    collect() {
      this.set(waiting())
    },
  })
}
