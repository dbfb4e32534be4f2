/** Waits for the database, runs pending migrations and exits: 0 when the schema is the newest, 1 otherwise. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Config, loadConfig } from '../core/platform/config.ts'
import { ConfigError } from '../core/platform/environment.ts'
import { createLogger } from '../core/platform/logger.ts'
import { createDatabase, isDatabaseAway } from '../core/platform/postgres.ts'
import { tlsFault } from '../core/platform/tls-fault.ts'
import { migrate } from './migrate.ts'

/** A database that starts together with us (compose, Kubernetes) is up well before this. */
const DATABASE_WAIT_MS = 30_000
/** A migration may wait for another runner or build an index over a big table. */
const STATEMENT_TIMEOUT_MS = 600_000

async function waitForDatabase(config: Config): Promise<void> {
  const db = createDatabase(config.postgres, 'tchat-migrate')
  const deadline = performance.now() + DATABASE_WAIT_MS
  try {
    for (;;) {
      try {
        await db.raw('SELECT 1')
        return
      } catch (error) {
        const fault = tlsFault(error)
        if (fault !== undefined) throw new ConfigError(`Postgres at DATABASE_URL is not trusted: ${fault}.`)
        if (!isDatabaseAway(error) || performance.now() > deadline) throw error
        await pause(250)
      }
    }
  } finally {
    await db.destroy()
  }
}

async function main(): Promise<void> {
  const config = loadConfig('migrate', process.env)
  await waitForDatabase(config)
  // The pool allows a statement four times its timeout.
  const db = createDatabase({ ...config.postgres, timeoutMs: STATEMENT_TIMEOUT_MS / 4 }, 'tchat-migrate')
  try {
    createLogger(config).info({ migrations: await migrate(db) }, 'schema is up to date')
  } finally {
    await db.destroy()
  }
}

main().catch((error: Error) => {
  process.stderr.write(`${isDatabaseAway(error) || error instanceof ConfigError ? error.message : error.stack}\n`)
  process.exitCode = 1
})
