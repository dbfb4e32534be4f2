/** Ends the calls that nobody has answered in time. Needs Postgres alone. */
import type { CallService } from '../../core/calls/call-service.ts'
import type { Sweep } from '../sweeper.ts'

/** One statement ends so many, in about 50 ms (measured): 1,000 due calls a second are one statement each half second. */
const BATCH = 500

export function unansweredCalls(calls: CallService, everyMs: number): Sweep {
  return {
    name: 'unanswered-calls',
    everyMs,
    async run(stopping) {
      while ((await calls.deadlines.endUnanswered(BATCH)) === BATCH && !stopping.aborted);
    },
  }
}
