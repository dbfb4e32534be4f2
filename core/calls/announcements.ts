/** What a change that is committed makes a process do: a line in the log, the metrics, and its event at once. */
import type { Logger } from '../platform/logger.ts'
import type { CallStatus } from '../protocol/signaling.ts'
import { type Call, ringStateOf } from './call.ts'
import type { CallMetrics } from './call-metrics.ts'
import type { Change } from './call-transitions.ts'
import type { Outbox } from './outbox.ts'

export class Announcements {
  readonly #log: Logger
  readonly #metrics: CallMetrics
  readonly #outbox: Outbox

  constructor({ log, metrics, outbox }: { log: Logger; metrics: CallMetrics; outbox: Outbox }) {
    this.#log = log
    this.#metrics = metrics
    this.#outbox = outbox
  }

  created({ call, outboxId }: Change): void {
    this.#log.info({ callId: call.id, from: null, to: call.status, reason: null }, 'call transitioned')
    this.#metrics.initiated(call.type)
    this.#outbox.publishSoon(outboxId, 'call-ringing', call)
  }

  ringStateChanged({ call, outboxId }: Change): void {
    this.#log.debug({ callId: call.id, ringState: ringStateOf(call) }, 'ring state changed')
    this.#metrics.ringStateChanged(call)
    this.#outbox.publishSoon(outboxId, 'call-changed', call)
  }

  /** Returns the call, as it is now. */
  transitioned(from: CallStatus, { call, outboxId }: Change): Call {
    this.#log.info({ callId: call.id, from, to: call.status, reason: call.endReason }, 'call transitioned')
    this.#metrics.transitioned(call)
    this.#outbox.publishSoon(outboxId, 'call-changed', call)
    return call
  }
}
