/** Ends the active calls that nobody ever joined, or that all peers have left for too long. */
import type { CallService } from '../../core/calls/call-service.ts'
import type { GroupScope } from '../../core/calls/group-scope.ts'
import type { Contact } from '../contact.ts'
import type { Sweep } from '../sweeper.ts'

/** Bounds the question to Redis about who is connected. */
const BATCH = 250

export function abandonedCalls(calls: CallService, contact: Contact, everyMs: number, scope?: GroupScope): Sweep {
  return {
    name: 'abandoned-calls',
    everyMs,
    async run(stopping) {
      while (contact.isUnbroken && !stopping.aborted) {
        if ((await calls.deadlines.judgeAbandoned(BATCH, scope)) < BATCH) return
      }
    },
  }
}
