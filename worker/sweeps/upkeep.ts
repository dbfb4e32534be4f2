/** Removes what has outlived its retention: idempotency keys, published events and the journal. */
import type { CallService } from '../../core/calls/call-service.ts'
import type { Sweep } from '../sweeper.ts'

const EVERY_MS = 600_000
/** Small deletes: none holds locks, or a replica up, for long. */
const BATCH = 1000

export function upkeep(calls: Pick<CallService, 'outbox' | 'journal' | 'purgeIdempotencyKeys'>): Sweep {
  return {
    name: 'upkeep',
    everyMs: EVERY_MS,
    async run(stopping) {
      while ((await calls.purgeIdempotencyKeys(BATCH)) === BATCH && !stopping.aborted);
      while ((await calls.outbox.purge(BATCH)) === BATCH && !stopping.aborted);
      while ((await calls.journal.purge(BATCH)) === BATCH && !stopping.aborted);
    },
  }
}
