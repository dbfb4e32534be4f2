/** Pieces of SQL that the call stores share. The clock is Postgres' alone, read once a statement. */
import type { Config } from '../platform/config.ts'

/** To the millisecond, as the columns are and as a Date is. */
export const CLOCK = `clock AS MATERIALIZED (SELECT date_trunc('milliseconds', clock_timestamp()) AS at)`

/** The named limits of a live call, as bindings. Milliseconds. */
export interface CallLimits {
  ringMs: number
  receiptMs: number
  setupMs: number
  lostMs: number
}

export function callLimits(config: Config['calls']): CallLimits {
  return {
    ringMs: config.ringTimeoutMs,
    receiptMs: config.unreachableAfterMs,
    setupMs: config.setupTimeoutMs,
    lostMs: config.lostPeersTimeoutMs,
  }
}

/** The interval that a limit names. */
export function after(limit: keyof CallLimits): string {
  return `CAST(:${limit} AS double precision) * interval '1 millisecond'`
}
