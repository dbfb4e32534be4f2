/** Counts the calls that live, for the metrics. Needs Postgres alone. */
import type { CallService } from '../../core/calls/call-service.ts'
import type { Sweep } from '../sweeper.ts'

/** As often as metrics are read, or oftener; the count of 100,000 live calls is one of index entries. */
const EVERY_MS = 5000

export function liveCalls(calls: Pick<CallService, 'observeLive'>): Sweep {
  return {
    name: 'live-calls',
    everyMs: EVERY_MS,
    async run() {
      await calls.observeLive()
    },
  }
}
