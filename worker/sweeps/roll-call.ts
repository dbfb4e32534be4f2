/** Compares what the active calls say of their peers with the rooms, so that a message lost in an outage heals. */
import type { CallService } from '../../core/calls/call-service.ts'
import type { GroupScope } from '../../core/calls/group-scope.ts'
import type { Contact } from '../contact.ts'
import type { Sweep } from '../sweeper.ts'

/** Well below the shortest sensible lost-peers limit, and a small load: 1,000 active calls are two pages. */
const EVERY_MS = 15_000
const PAGE = 500

export function rollCall(calls: CallService, contact: Contact, scope?: GroupScope): Sweep {
  return {
    name: 'roll-call',
    everyMs: EVERY_MS,
    async run(stopping) {
      let after: string | undefined
      do {
        if (!contact.isUnbroken || stopping.aborted) return
        after = await calls.deadlines.rollCall(after, PAGE, scope)
      } while (after !== undefined)
    },
  }
}
