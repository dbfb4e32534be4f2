/** The pool of connections to Postgres, the only durable truth, and the translation of its outages. */
import knexModule, { type Knex } from 'knex'
import { AppError } from '../protocol/errors.ts'
import type { Config } from './config.ts'
import { tlsFault } from './tls-fault.ts'

export type Database = Knex

/** Without a word on TLS there is none; without one on statements they may take four times `timeoutMs`. */
type Place = Omit<Config['postgres'], 'tls' | 'statementMs'> & Partial<Pick<Config['postgres'], 'tls' | 'statementMs'>>

/** The part of a pg connection that is used here; knex does not type it. */
interface RawConnection {
  query(config: unknown, callback: (error: Error | null, result: unknown) => void): unknown
  connection: { stream: { destroy(): void } }
  /** Set on a connection that knex must not hand out again. */
  __knex__disposed?: Error
}

/** Opens a pool; nothing connects before the first query, so a process starts while Postgres is still away. */
export function createDatabase(config: Place, applicationName: string): Database {
  const statementMs = config.statementMs ?? config.timeoutMs * 4
  return knexModule.knex({
    client: 'pg',
    connection: {
      connectionString: config.url,
      ssl: config.tls ?? false,
      application_name: applicationName,
      statement_timeout: statementMs,
      query_timeout: statementMs,
      connectionTimeoutMillis: config.timeoutMs,
      keepAlive: true,
    },
    pool: {
      min: 0,
      max: config.poolMax,
      idleTimeoutMillis: 30_000,
      acquireTimeoutMillis: config.timeoutMs * 2,
      afterCreate: (connection: RawConnection, done: (error: null, connection: RawConnection) => void) =>
        done(null, dropsSilence(connection)),
    },
    acquireConnectionTimeout: config.timeoutMs,
    // Knex would print what it also rejects with, as plain text among our JSON lines.
    log: { warn: () => {}, error: () => {}, deprecate: () => {}, debug: () => {} },
  })
}

/**
 * Has a connection end itself when a statement on it gets no answer in time. Its server may be gone without a word, and
 * the pool would hand the connection out until TCP gives it up, a quarter of an hour later.
 */
function dropsSilence(connection: RawConnection): RawConnection {
  const query = connection.query.bind(connection)
  connection.query = (config, callback) =>
    query(config, (error, result) => {
      if (error?.message === READ_TIMEOUT) {
        // The socket's end comes a turn later; the pool must know at once.
        connection.__knex__disposed = error
        connection.connection.stream.destroy()
      }
      callback(error, result)
    })
  return connection
}

/** The error message of pg for a statement without an answer within `query_timeout`. */
const READ_TIMEOUT = 'Query read timeout'

/** SQLSTATE classes that mean "the server is away or cannot take this now": 08, 53, 57P and 58 (PostgreSQL, appendix A). */
const AWAY_STATES = /^(08|53|57P|58|57014)/
const AWAY_ERRORS = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'EAI_AGAIN',
])

/** True when an error says that Postgres is away, restarting or out of connections, as opposed to refusing our SQL. */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = (error as { code?: unknown }).code
  if (tlsFault(error) !== undefined) return true
  if (typeof code === 'string' && (AWAY_STATES.test(code) || AWAY_ERRORS.has(code))) return true
  return (
    error.name === 'KnexTimeoutError' ||
    /Connection terminated|connect timeout|timeout exceeded|Query read timeout|timeout expired|is not queryable|Unable to acquire a connection/i.test(
      error.message,
    )
  )
}

/** The error a caller should see: SERVICE_UNAVAILABLE where Postgres is away, else the error itself. */
export function databaseFault(error: unknown): unknown {
  return isDatabaseAway(error) ? new AppError('SERVICE_UNAVAILABLE', undefined, { cause: error }) : error
}
