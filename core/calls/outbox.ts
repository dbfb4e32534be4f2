/**
 * Events that must reach the gateways although the process that committed them may die before it has published them.
 * Whoever commits publishes at once; what is still unpublished a second later is published by a worker.
 */

import type { CallGroups } from '../platform/call-groups.ts'
import type { Logger } from '../platform/logger.ts'
import type { Database } from '../platform/postgres.ts'
import type { Call } from './call.ts'
import { callChanged, callRinging, type EventKind } from './call-messages.ts'
import type { CallMetrics } from './call-metrics.ts'
import { type CallRow, callFromRow } from './call-rows.ts'
import { withRetries } from './database-retry.ts'
import type { EventPublisher } from './group-events.ts'
import { type GroupScope, inScope } from './group-scope.ts'

/** Published rows are marked together: one small update for many calls. */
const MARK_AFTER_MS = 50
/** Younger rows are left to the process that committed them. */
const LEFT_OVER_AFTER_MS = 1000
/** Number of the advisory lock under which one process at a time publishes a group's leftovers, so that they keep their order. */
const DRAIN_LOCK = 7_340_162

interface Dependencies {
  db: Database
  events: EventPublisher
  groups: CallGroups
  retentionMs: number
  metrics: CallMetrics
  log: Logger
}

export class Outbox {
  readonly #deps: Dependencies
  readonly #publishing = new Set<Promise<void>>()
  #published: string[] = []
  #marking: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** Publishes a committed event without making anybody wait. A failure is left to the worker. */
  publishSoon(outboxId: string, kind: EventKind, call: Call): void {
    const publishing = this.#publish(kind, call)
      .then(() => {
        this.#deps.metrics.published('committer', 1)
        this.#markSoon(outboxId)
      })
      .catch((error: Error) => this.#deps.log.debug({ callId: call.id, kind, err: error.message }, 'publish put off'))
      .finally(() => this.#publishing.delete(publishing))
    this.#publishing.add(publishing)
  }

  /**
   * Publishes up to `limit` leftovers, oldest first, so that no later event of a call goes out before an earlier one.
   * Stops at the first that Redis does not take. Returns how many rows are done. With a scope it looks at the calls of
   * that group alone, so that a Redis which is away holds up no other group's.
   */
  async publishLeftovers(limit: number, scope?: GroupScope): Promise<number> {
    const { sql, bindings } = inScope("(payload->>'call_group')", scope)
    return this.#deps.db.transaction(async (trx) => {
      const lock = await trx.raw<{ rows: { mine: boolean }[] }>(
        'SELECT pg_try_advisory_xact_lock(?, hashtext(?)) AS mine',
        [DRAIN_LOCK, scope?.name ?? ''],
      )
      if (!lock.rows[0]?.mine) return 0
      const { rows } = await trx.raw<{ rows: LeftoverRow[] }>(
        `SELECT outbox.id, kind, payload, date_trunc('milliseconds', clock_timestamp()) AS read_at, kind = 'call-ringing' AND NOT EXISTS (
           SELECT FROM calls
           WHERE calls.id = call_id AND status = 'connecting' AND ring_expires_at > clock_timestamp()) AS stale
         FROM outbox
         WHERE published_at IS NULL AND created_at <= clock_timestamp() - interval '${LEFT_OVER_AFTER_MS} milliseconds'
           ${sql}
         ORDER BY outbox.id LIMIT :limit`,
        { limit, ...bindings },
      )
      const done = await this.#publishInOrder(rows)
      if (done.length > 0) await trx.raw(MARK, [done])
      this.#deps.metrics.published('worker', done.length)
      return done.length
    })
  }

  /** All are sent at once, over one connection that keeps their order; those before the first failure are done. */
  async #publishInOrder(rows: LeftoverRow[]): Promise<string[]> {
    const sent = await Promise.allSettled(
      // A late ring of a call that no longer rings would only startle.
      rows.map((row) => (row.stale ? undefined : this.#publish(row.kind, callFromRow(row.payload), row.read_at))),
    )
    const failed = sent.findIndex((result) => result.status === 'rejected')
    return rows.slice(0, failed === -1 ? rows.length : failed).map((row) => row.id)
  }

  /** Counts what waits, for the metrics. */
  async observe(): Promise<void> {
    const { rows } = await this.#deps.db.raw<{ rows: { pending: number; lag: number }[] }>(
      `SELECT count(*)::int AS pending,
              coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS lag
       FROM outbox WHERE published_at IS NULL`,
    )
    if (rows[0] !== undefined) this.#deps.metrics.census.outbox(rows[0].pending, Math.max(0, rows[0].lag))
  }

  /** Removes up to `limit` rows that were published longer ago than the retention; returns how many. */
  async purge(limit: number): Promise<number> {
    const { rows } = await this.#deps.db.raw<{ rows: unknown[] }>(
      // Only the oldest are looked at: there is no index of published_at, and none is needed for this.
      `DELETE FROM outbox WHERE id IN (
         SELECT id FROM (SELECT id, published_at FROM outbox ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED) AS oldest
         WHERE published_at <= clock_timestamp() - CAST(:retentionMs AS double precision) * interval '1 millisecond')
       RETURNING 1`,
      { retentionMs: this.#deps.retentionMs, limit },
    )
    return rows.length
  }

  /** Waits for what is under way. What could not be marked will be published once more, which receivers ignore. */
  async close(): Promise<void> {
    await Promise.all(this.#publishing)
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.#mark()
  }

  #publish(kind: EventKind, call: Call, now?: Date): Promise<void> {
    const { events, groups } = this.#deps
    return kind === 'call-ringing'
      ? events.publish(kind, callRinging(call, groups, now), call.group)
      : events.publish(kind, callChanged(call), call.group)
  }

  #markSoon(outboxId: string): void {
    this.#published.push(outboxId)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.#mark()
    }, MARK_AFTER_MS)
  }

  #mark(): Promise<void> {
    this.#marking = this.#marking.then(async () => {
      const ids = this.#published
      this.#published = []
      if (ids.length === 0) return
      try {
        await withRetries(() => this.#deps.db.raw(MARK, [ids]), { repeatable: true })
      } catch (error) {
        this.#deps.log.debug({ events: ids.length, err: (error as Error).message }, 'published events not marked')
      }
    })
    return this.#marking
  }
}

// In the order of ids, so that two processes never wait in a circle.
const MARK = `
  UPDATE outbox SET published_at = clock_timestamp()
  WHERE id IN (SELECT id FROM outbox WHERE id = ANY (?) AND published_at IS NULL ORDER BY id FOR UPDATE)`

interface LeftoverRow {
  id: string
  kind: EventKind
  payload: CallRow
  /** Postgres' clock. */
  read_at: Date
  /** A ring whose call does not ring any more. */
  stale: boolean
}
