/** Brings a database to the newest schema. Any number of processes may try at once: one does it, the others wait. */
import type { Knex } from 'knex'
import type { Database } from '../core/platform/postgres.ts'
import * as calls from './0001-calls.ts'
import * as idempotencyAndOutbox from './0002-idempotency-and-outbox.ts'
import * as userPresence from './0003-user-presence.ts'
import * as ringState from './0005-ring-state.ts'
import * as keptMerges from './0006-kept-merges.ts'
import * as webhookDeliveries from './0010-webhook-deliveries.ts'
import * as callJournal from './0020-call-journal.ts'
import * as callGroups from './0021-call-groups.ts'
import * as demoUsers from './0080-demo-users.ts'
import * as occupancyVersion from './0081-occupancy-version.ts'
import * as joinedSides from './0082-joined-sides.ts'

/** In order, and only ever added to: a name that has run somewhere must not change. */
const MIGRATIONS: { name: string; up: (db: Knex) => Promise<void> }[] = [
  { name: '0001-calls', ...calls },
  { name: '0002-idempotency-and-outbox', ...idempotencyAndOutbox },
  { name: '0003-user-presence', ...userPresence },
  { name: '0005-ring-state', ...ringState },
  { name: '0006-kept-merges', ...keptMerges },
  { name: '0010-webhook-deliveries', ...webhookDeliveries },
  { name: '0020-call-journal', ...callJournal },
  { name: '0021-call-groups', ...callGroups },
  { name: '0080-demo-users', ...demoUsers },
  { name: '0081-occupancy-version', ...occupancyVersion },
  { name: '0082-joined-sides', ...joinedSides },
]

/** An explicit list: no folder is read, so the compiled form runs from anywhere. */
const migrationSource: Knex.MigrationSource<(typeof MIGRATIONS)[number]> = {
  getMigrations: async () => MIGRATIONS,
  getMigrationName: (migration) => migration.name,
  getMigration: async (migration) => ({ up: migration.up, down: refuseDown }),
}

async function refuseDown(): Promise<never> {
  throw new Error('Migrations only go forward: restore a backup to go back.')
}

/** Number of the advisory lock; any constant that nothing else in this database uses. */
const MIGRATION_LOCK = 7_340_161

/**
 * Runs what is pending and returns the names of what ran.
 *
 * Knex's own lock is a row that refuses a second runner and outlives a killed one. An advisory lock makes the second
 * runner wait and dies with its connection; whoever holds it may clear the row, as its owner must be dead.
 */
export async function migrate(db: Database): Promise<string[]> {
  return db.transaction(async (guard) => {
    await guard.raw('SELECT pg_advisory_xact_lock(?)', [MIGRATION_LOCK])
    // Creates the bookkeeping tables where they are missing, before the row in them can be cleared.
    await db.migrate.currentVersion({ migrationSource })
    await db.migrate.forceFreeMigrationsLock({ migrationSource })
    const [, ran] = (await db.migrate.latest({ migrationSource })) as [number, string[]]
    return ran
  })
}
