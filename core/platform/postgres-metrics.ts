/** How Postgres serves this process: the pool of connections, and how long statements take. */
import { Gauge, type Registry } from 'prom-client'
import { LeanHistogram } from './lean-histogram.ts'
import { type Database, isDatabaseAway } from './postgres.ts'

/** From an indexed read to the longest that a statement may take (20 s by default). */
const QUERY_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 20]

/** What is used of knex's pool (tarn), which knex types as anything. */
interface Pool {
  max: number
  numUsed(): number
  numFree(): number
  numPendingAcquires(): number
  on(event: string, listener: (eventId: number) => void): void
}

interface Statement {
  __knexQueryUid: string
}

/** Observes a pool from its opening on. */
export function observePostgres(registry: Registry, db: Database): void {
  const { pool } = db.client as { pool: Pool }
  let isUp = true
  observePool(registry, pool, () => {
    isUp = false
  })
  const durations = new LeanHistogram({
    name: 'postgres_query_seconds',
    help: 'From sending a statement to its result, by how it ended (ok, error).',
    buckets: QUERY_BUCKETS_SECONDS,
    labelNames: ['outcome'],
    registry,
  })
  new Gauge({
    name: 'postgres_up',
    help: 'Whether Postgres answered when this process asked it last: 1 or 0.',
    registers: [registry],
    collect() {
      this.set(isUp ? 1 : 0)
    },
  })
  const sentAt = new Map<string, number>()
  const ended = ({ __knexQueryUid: id }: Statement, outcome: 'ok' | 'error') => {
    const at = sentAt.get(id)
    sentAt.delete(id)
    if (at !== undefined) durations.observe((performance.now() - at) / 1000, outcome)
  }
  db.on('query', ({ __knexQueryUid: id }: Statement) => sentAt.set(id, performance.now()))
  db.on('query-response', (_response: unknown, statement: Statement) => {
    isUp = true
    ended(statement, 'ok')
  })
  db.on('query-error', (error: unknown, statement: Statement) => {
    isUp = !isDatabaseAway(error)
    ended(statement, 'error')
  })
}

function observePool(registry: Registry, pool: Pool, onRefused: () => void): void {
  new Gauge({
    name: 'postgres_pool_connections',
    help: 'Connections to Postgres by state (used, free), and how many there may be (limit).',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      this.set({ state: 'used' }, pool.numUsed())
      this.set({ state: 'free' }, pool.numFree())
      this.set({ state: 'limit' }, pool.max)
    },
  })
  new Gauge({
    name: 'postgres_pool_waiting',
    help: 'Statements that wait for a connection of the pool.',
    registers: [registry],
    collect() {
      this.set(pool.numPendingAcquires())
    },
  })
  const waits = new LeanHistogram({
    name: 'postgres_pool_wait_seconds',
    help: 'How long a statement waited for a connection of the pool.',
    buckets: QUERY_BUCKETS_SECONDS,
    registry,
  })
  const askedAt = new Map<number, number>()
  const answered = (eventId: number) => {
    const at = askedAt.get(eventId)
    askedAt.delete(eventId)
    if (at !== undefined) waits.observe((performance.now() - at) / 1000)
  }
  pool.on('acquireRequest', (eventId) => askedAt.set(eventId, performance.now()))
  pool.on('acquireSuccess', answered)
  pool.on('acquireFail', answered)
  pool.on('createFail', onRefused)
}
