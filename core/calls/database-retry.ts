/** Repeats what Postgres rolled back, and turns its outages into SERVICE_UNAVAILABLE. */
import { setTimeout as pause } from 'node:timers/promises'
import { databaseFault } from '../platform/postgres.ts'

/** Deadlock and serialization failure: Postgres rolled the work back and asks for it again (PostgreSQL, appendix A). */
const ROLLED_BACK_STATES = new Set(['40P01', '40001'])
const ROLLED_BACK_ATTEMPTS = 5
const ROLLED_BACK_PAUSE_MS = 20

/**
 * Runs `work`, a single statement or a whole transaction.
 *
 * Work that was rolled back is repeated a few times. Work whose pooled connection turns out to be dead, as all are
 * after a restart of Postgres, is repeated once on a new one: where it surely was not carried out, or where
 * `repeatable` says that carrying it out twice does no harm.
 * @throws SERVICE_UNAVAILABLE while Postgres is away
 */
export async function withRetries<T>(work: () => Promise<T>, options: { repeatable: boolean }): Promise<T> {
  let lostBefore = false
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const lost = options.repeatable ? isConnectionLost(error) : wasNeverCarriedOut(error)
      if (lost && !lostBefore) {
        lostBefore = true
        continue
      }
      if (!ROLLED_BACK_STATES.has(codeOf(error)) || attempt >= ROLLED_BACK_ATTEMPTS) throw databaseFault(error)
      await pause(ROLLED_BACK_PAUSE_MS * attempt * Math.random())
    }
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** Either the client knew that its connection was gone, or Postgres says that it cut the statement short. */
function wasNeverCarriedOut(error: unknown): boolean {
  return codeOf(error) === '57P01' || (error instanceof Error && /is not queryable/.test(error.message))
}

function isConnectionLost(error: unknown): boolean {
  if (wasNeverCarriedOut(error) || ['ECONNRESET', 'EPIPE'].includes(codeOf(error))) return true
  return error instanceof Error && /Connection terminated/.test(error.message) && !/timeout/.test(error.message)
}
