/** Publishes the events that their own process did not: it died, or Redis was away. */
import type { CallService } from '../../core/calls/call-service.ts'
import type { GroupScope } from '../../core/calls/group-scope.ts'
import type { Sweep } from '../sweeper.ts'

/** Together with the outbox's own second, an event is late by two seconds at most once Redis is back. */
const EVERY_MS = 1000
const BATCH = 500

export function leftoverEvents({ outbox }: Pick<CallService, 'outbox'>, scope?: GroupScope): Sweep {
  return {
    name: 'leftover-events',
    everyMs: EVERY_MS,
    async run(stopping) {
      while ((await outbox.publishLeftovers(BATCH, scope)) === BATCH && !stopping.aborted);
      await outbox.observe()
    },
  }
}
