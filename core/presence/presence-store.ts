/** The durable part of a user's presence: the user's own settings, and the time of the last connection (seen-users.ts). */
import type { Database } from '../platform/postgres.ts'
import { databaseFault } from '../platform/postgres.ts'
import type { Visibility } from '../protocol/http.ts'
import { writeSeenUsers } from './seen-users.ts'

export interface StoredPresence {
  /** Set by the user; holds until the next PUT of `online`. */
  setOffline: boolean
  /** A PUT of `online` still counts. */
  onlineByPut: boolean
  visibility: Visibility
  lastSeenAt: Date | null
  /** `lastSeenAt` is so fresh that the user is connected, as far as Postgres alone can tell. */
  seenLately: boolean
  /** `lastSeenAt` is what an answer may show of a user who is connected now. */
  seenJustNow: boolean
}

export interface PresenceChange {
  userId: string
  setOffline: boolean
  /** How long an `online` counts without any connection. */
  onlineForMs: number
  /** Kept as it is where it is left out. */
  visibility?: Visibility
}

/** Nodes write `last_seen_at` of connected users every 30 s; the rest is for a node that has missed one write. */
const SEEN_LATELY_SECONDS = 90
/** How far `last_seen` of a connected user may lag: a popular user costs one write in this time, not one a reader. */
const JUST_NOW_SECONDS = 5

interface Row {
  user_id: string
  set_offline: boolean
  online_by_put: boolean
  visibility: Visibility
  last_seen_at: Date | null
  seen_lately: boolean
  seen_just_now: boolean
}

export class PresenceStore {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /**
   * Undefined for a user who was never seen.
   * @throws SERVICE_UNAVAILABLE while Postgres is away
   */
  async find(userId: string): Promise<StoredPresence | undefined> {
    return (await this.findMany([userId])).get(userId)
  }

  /**
   * Those of the users who were ever seen, by their ids.
   * @throws SERVICE_UNAVAILABLE while Postgres is away
   */
  async findMany(userIds: string[]): Promise<Map<string, StoredPresence>> {
    const rows = await this.#run<Row>(
      `SELECT user_id, set_offline, visibility, last_seen_at,
         coalesce(online_until > clock_timestamp(), false) AS online_by_put,
         coalesce(last_seen_at > clock_timestamp() - make_interval(secs => ${SEEN_LATELY_SECONDS}), false) AS seen_lately,
         coalesce(last_seen_at > clock_timestamp() - make_interval(secs => ${JUST_NOW_SECONDS}), false) AS seen_just_now
       FROM user_presence WHERE user_id = ANY (:userIds)`,
      { userIds },
    )
    return new Map(rows.map((row) => [row.user_id, storedPresence(row)]))
  }

  /**
   * Stores that the users are there now, but not of those who have set `offline`.
   * @throws SERVICE_UNAVAILABLE while Postgres is away
   */
  async markSeen(userIds: string[]): Promise<void> {
    await this.#retried(() =>
      writeSeenUsers(
        this.#db,
        userIds.map((userId) => ({ userId, ageMs: 0 })),
      ),
    )
  }

  /** @throws SERVICE_UNAVAILABLE while Postgres is away */
  async write(change: PresenceChange): Promise<{ visibility: Visibility; updatedAt: Date }> {
    const [row] = await this.#run<{ visibility: Visibility; updated_at: Date }>(
      `INSERT INTO user_presence AS known (user_id, set_offline, visibility, last_seen_at, online_until, updated_at)
       SELECT :userId, :setOffline, coalesce(:visibility, 'everyone'), clock.now,
         CASE WHEN :setOffline THEN NULL ELSE clock.now + :onlineForMs * interval '1 millisecond' END, clock.now
       FROM (SELECT clock_timestamp() AS now) AS clock
       ON CONFLICT (user_id) DO UPDATE
         SET set_offline = excluded.set_offline, visibility = coalesce(:visibility, known.visibility),
           last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at),
           online_until = excluded.online_until, updated_at = excluded.updated_at
       RETURNING visibility, updated_at`,
      { ...change, visibility: change.visibility ?? null },
    )
    if (row === undefined) throw new Error('An upsert must return its row')
    return { visibility: row.visibility, updatedAt: row.updated_at }
  }

  #run<T>(sql: string, bindings: Record<string, unknown>): Promise<T[]> {
    return this.#retried(() => this.#query<T>(sql, bindings))
  }

  /** All statements here may be carried out twice, so one that met a dead pooled connection is sent again once. */
  async #retried<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (!metDeadConnection(error)) throw databaseFault(error)
    }
    try {
      return await work()
    } catch (error) {
      throw databaseFault(error)
    }
  }

  async #query<T>(sql: string, bindings: Record<string, unknown>): Promise<T[]> {
    const { rows } = await this.#db.raw<{ rows: T[] }>(sql, bindings as Record<string, string>)
    return rows
  }
}

function storedPresence(row: Row): StoredPresence {
  return {
    setOffline: row.set_offline,
    onlineByPut: row.online_by_put,
    visibility: row.visibility,
    lastSeenAt: row.last_seen_at,
    seenLately: row.seen_lately,
    seenJustNow: row.seen_just_now,
  }
}

/** A connection that a restart of Postgres has cut, noticed only when it is used. */
function metDeadConnection(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? error.code : undefined
  return (
    code === '57P01' ||
    code === 'ECONNRESET' ||
    code === 'EPIPE' ||
    /is not queryable|Connection terminated unexpectedly/.test(error.message)
  )
}
