/** The nouns of webhooks. They know a call only as what gives its events an order. */
import type { WebhookType } from '../protocol/webhooks.ts'

/** An event on its way to one endpoint, claimed for one attempt. */
export interface Delivery {
  id: string
  /** Proves that this claim is still the last one. */
  lease: string
  callId: string
  type: WebhookType
  /** What the writer of the event has kept of the call. */
  payload: unknown
  createdAt: Date
  /** Postgres' time when it was claimed. */
  claimedAt: Date
  /** This attempt, counted from 1. */
  attempt: number
}

/**
 * How an attempt ended; the word is a label of the metrics. `rejected` is any status but 2xx, `gone` is 410,
 * `unreachable` any fault of name, connection or TLS, `refused_address` an address that is not public, `fault` our own.
 */
export type Outcome = 'delivered' | 'rejected' | 'gone' | 'timeout' | 'unreachable' | 'refused_address' | 'fault'

export interface AttemptResult {
  outcome: Outcome
  /** HTTP status, where there was an answer. */
  status?: number
  /** The receiver's own wish, milliseconds. */
  retryAfterMs?: number
}

/** `retry` waits for `delayMs`, or gives up where that is too late. */
export type Verdict = { kind: 'delivered' | 'dead' } | { kind: 'retry'; delayMs: number }

export interface Settlement {
  id: string
  lease: string
  verdict: Verdict
  result: AttemptResult
}
