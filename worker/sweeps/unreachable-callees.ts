/** Tells the callers whose callee no device has confirmed to ring in time. Needs Postgres alone. */
import type { CallService } from '../../core/calls/call-service.ts'
import type { Sweep } from '../sweeper.ts'

/** As with unanswered calls: one statement for so many. */
const BATCH = 500

export function unreachableCallees({ rings }: Pick<CallService, 'rings'>, everyMs: number): Sweep {
  return {
    name: 'unreachable-callees',
    everyMs,
    async run(stopping) {
      while ((await rings.giveUp(BATCH)) === BATCH && !stopping.aborted);
    },
  }
}
