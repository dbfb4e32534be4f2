/** Events that no receiver took in time: operators see them and send them again. */
import type { Database } from '../platform/postgres.ts'
import { AppError } from '../protocol/errors.ts'
import type { WebhookType } from '../protocol/webhooks.ts'
import type { Outcome } from './delivery.ts'

export interface DeadLetter {
  id: string
  endpoint: string
  callId: string
  type: WebhookType
  createdAt: Date
  diedAt: Date
  attempts: number
  /** How the last attempt ended; null where there was none, as the endpoint is no longer configured. */
  lastOutcome: Outcome | null
  lastStatus: number | null
}

export interface DeadLetterQuery {
  limit: number
  endpoint?: string
  cursor?: string
}

export interface DeadLetterPage {
  /** The last that died first. */
  letters: DeadLetter[]
  total: number
  hasMore: boolean
  nextCursor?: string
}

/** A statement replays so many, so that none holds locks for long. */
const REPLAY_BATCH = 1000

export class DeadLetters {
  readonly #db: Database
  readonly #endpoints: string[]
  readonly #giveUpMs: number

  /** `endpoints` are the names that are configured now: nothing is sent to others. */
  constructor(db: Database, endpoints: string[], giveUpMs: number) {
    this.#db = db
    this.#endpoints = endpoints
    this.#giveUpMs = giveUpMs
  }

  /** @throws INVALID_REQUEST for a cursor that is not one of ours */
  async list({ limit, endpoint, cursor }: DeadLetterQuery): Promise<DeadLetterPage> {
    const after = cursor === undefined ? undefined : decodeCursor(cursor)
    const filter = `state = 'dead' ${endpoint === undefined ? '' : 'AND endpoint = :endpoint'}`
    const { rows } = await this.#db.raw<{ rows: Row[] }>(
      `SELECT counted.total, page.* FROM (SELECT count(*)::int AS total FROM webhook_deliveries WHERE ${filter}) AS counted
       LEFT JOIN (
         SELECT id, endpoint, call_id, type, created_at, settled_at, attempts, last_outcome, last_status
         FROM webhook_deliveries
         WHERE ${filter} ${after === undefined ? '' : 'AND (settled_at, id) < (:settledAt, :id)'}
         ORDER BY settled_at DESC, id DESC LIMIT :limit) AS page ON true
       ORDER BY page.settled_at DESC, page.id DESC`,
      // One more than asked tells whether there are more.
      { endpoint: endpoint ?? null, settledAt: after?.settledAt ?? null, id: after?.id ?? null, limit: limit + 1 },
    )
    const found = rows.flatMap((row) => (row.id === null ? [] : [letterFromRow(row, row.id)]))
    const letters = found.slice(0, limit)
    const last = letters.at(-1)
    const hasMore = found.length > limit
    return {
      letters,
      total: rows[0]?.total ?? 0,
      hasMore,
      ...(hasMore && last !== undefined ? { nextCursor: encodeCursor(last) } : {}),
    }
  }

  /**
   * Sends one again, as if it were new, under the id that its receivers may know.
   * @throws NOT_FOUND where there is no such dead letter, CONFLICT where its endpoint is no longer configured
   */
  async replay(id: string): Promise<void> {
    const { rows } = await this.#db.raw<{ rows: { endpoint: string; replayed: boolean }[] }>(
      `WITH letter AS (SELECT id, endpoint FROM webhook_deliveries WHERE id = :id AND state = 'dead' FOR UPDATE),
       replayed AS (UPDATE webhook_deliveries SET ${REVIVED}
         WHERE id IN (SELECT id FROM letter) AND endpoint = ANY (:endpoints) RETURNING id)
       SELECT endpoint, EXISTS (SELECT FROM replayed) AS replayed FROM letter`,
      { id, endpoints: this.#endpoints, giveUpMs: this.#giveUpMs },
    )
    const [letter] = rows
    if (letter === undefined) throw new AppError('NOT_FOUND', 'There is no such dead letter')
    if (!letter.replayed) throw new AppError('CONFLICT', 'The endpoint is not configured any more')
  }

  /** Sends all again, of one endpoint or of every one that is configured; returns how many. */
  async replayAll(endpoint: string | undefined): Promise<number> {
    const endpoints = this.#endpoints.filter((name) => endpoint === undefined || name === endpoint)
    // What dies again meanwhile is not taken a second time.
    const clock = await this.#db.raw<{ rows: { at: Date }[] }>('SELECT statement_timestamp() AS at')
    const diedBefore = clock.rows[0]?.at ?? new Date()
    let replayed = 0
    for (;;) {
      const { rows } = await this.#db.raw<{ rows: unknown[] }>(
        `UPDATE webhook_deliveries SET ${REVIVED} WHERE id IN (
           SELECT id FROM webhook_deliveries WHERE state = 'dead' AND endpoint = ANY (:endpoints)
             AND settled_at <= :diedBefore
           ORDER BY settled_at, id LIMIT :limit FOR UPDATE SKIP LOCKED)
         RETURNING 1`,
        { endpoints, diedBefore, giveUpMs: this.#giveUpMs, limit: REPLAY_BATCH },
      )
      replayed += rows.length
      if (rows.length < REPLAY_BATCH) return replayed
    }
  }
}

const REVIVED = `state = 'pending', settled_at = NULL, attempts = 0, due_at = statement_timestamp(),
  retry_until = statement_timestamp() + CAST(:giveUpMs AS double precision) * interval '1 millisecond'`

interface Row {
  total: number
  id: string | null
  endpoint: string
  call_id: string
  type: WebhookType
  created_at: Date
  settled_at: Date
  attempts: number
  last_outcome: Outcome | null
  last_status: number | null
}

function letterFromRow(row: Row, id: string): DeadLetter {
  return {
    id,
    endpoint: row.endpoint,
    callId: row.call_id,
    type: row.type,
    createdAt: row.created_at,
    diedAt: row.settled_at,
    attempts: row.attempts,
    lastOutcome: row.last_outcome,
    lastStatus: row.last_status,
  }
}

function encodeCursor({ diedAt, id }: DeadLetter): string {
  return Buffer.from(`${diedAt.toISOString()} ${id}`).toString('base64url')
}

function decodeCursor(text: string): { settledAt: string; id: string } {
  const [time = '', id = '', ...more] = Buffer.from(text, 'base64url').toString('utf8').split(' ')
  const settledAt = new Date(time)
  if (Number.isNaN(settledAt.getTime()) || !/^[1-9]\d{0,17}$/.test(id) || more.length > 0)
    throw new AppError('INVALID_REQUEST', 'The cursor is not valid', { details: { field: 'cursor' } })
  return { settledAt: settledAt.toISOString(), id }
}
