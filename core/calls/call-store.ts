/** Reads calls that may be live, and marks whether anybody is in their rooms. Never writes a status: call-transitions.ts does. */
import type { Config } from '../platform/config.ts'
import type { Database } from '../platform/postgres.ts'
import { BOTH_JOINED, type Occupancy } from '../protocol/occupancy.ts'
import type { Call } from './call.ts'
import { type CallRow, callFromRow } from './call-rows.ts'
import { after, type CallLimits, CLOCK, callLimits } from './call-sql.ts'
import { type GroupScope, inScope } from './group-scope.ts'

export interface StoredCall extends Call {
  /** Its deadline has passed and it may be judged within a request. */
  overdue: boolean
  /** Postgres' clock at the reading. */
  readAt: Date
}

type StoredRow = CallRow & { overdue: boolean; read_at: Date }

/**
 * An unanswered ring is judged by its deadline alone. An active call waits a worker's lease (8 s) after a start of
 * Postgres: its peers may be on their way back, and could not say so while Postgres was away.
 */
const OVERDUE = `coalesce(calls.deadline_at <= clock_timestamp() AND (calls.status = 'connecting'
  OR pg_postmaster_start_time() <= clock_timestamp() - interval '8 seconds'), false) AS overdue`

/** The columns of a {@link StoredRow}. */
const STORED = `calls.*, ${OVERDUE}, date_trunc('milliseconds', clock_timestamp()) AS read_at`

export class CallStore {
  readonly #db: Database
  readonly #limits: CallLimits

  constructor(db: Database, config: Config['calls']) {
    this.#db = db
    this.#limits = callLimits(config)
  }

  async find(callId: string): Promise<StoredCall | undefined> {
    const { rows } = await this.#db.raw<{ rows: StoredRow[] }>(`SELECT ${STORED} FROM calls WHERE id = :callId`, {
      callId,
    })
    return rows.map(storedCall)[0]
  }

  /** A call, or undefined where there is none, for each id in order, in one query. */
  async findAll(callIds: string[]): Promise<(StoredCall | undefined)[]> {
    const { rows } = await this.#db.raw<{ rows: StoredRow[] }>(
      `SELECT ${STORED} FROM calls WHERE id = ANY (:callIds)`,
      {
        callIds,
      },
    )
    const found = new Map(rows.map((row) => [row.id, storedCall(row)]))
    return callIds.map((id) => found.get(id))
  }

  /** The live calls of any of these users, each once. */
  async findLiveOf(userIds: string[]): Promise<StoredCall[]> {
    const { rows } = await this.#db.raw<{ rows: StoredRow[] }>(
      `SELECT ${STORED} FROM calls
       WHERE id IN (SELECT call_id FROM live_participants WHERE user_id = ANY (:userIds))`,
      { userIds },
    )
    return rows.map(storedCall)
  }

  /** The calls that ring any of these users now: connecting, and not overdue. */
  async findRingingAt(calleeIds: string[]): Promise<StoredCall[]> {
    const { rows } = await this.#db.raw<{ rows: StoredRow[] }>(
      `SELECT ${STORED} FROM live_participants AS live JOIN calls ON calls.id = live.call_id
       WHERE live.user_id = ANY (:calleeIds) AND calls.callee_id = live.user_id
         AND calls.status = 'connecting' AND calls.deadline_at > clock_timestamp()`,
      { calleeIds },
    )
    return rows.map(storedCall)
  }

  /**
   * Marks who is in the rooms, where it is newer than what is marked, and who has joined. The set-up limit runs until
   * both have; with nobody the lost-peers limit runs from now, or the later answer, and anew where somebody came
   * meanwhile. Whichever passes first ends the call.
   */
  async markOccupancy(facts: Occupancy[]): Promise<void> {
    await this.#mark(facts, 'calls.occupancy_version < told.version')
  }

  /**
   * Marks what a look into the rooms has found, without a version of its own. `version` is what the call had when it
   * was read, before that look: where something newer is marked meanwhile, the look is stale and nothing is changed.
   */
  async correctOccupancy(seen: Occupancy[]): Promise<void> {
    await this.#mark(seen, 'calls.occupancy_version = told.version')
  }

  /** `isNews`, in SQL: what the fact says of the room is to be marked. Who has joined is marked in any case. */
  async #mark(facts: Occupancy[], isNews: string): Promise<void> {
    // Locked in the order of ids, so that two processes which mark the same calls never wait in a circle.
    await this.#db.raw(
      `WITH ${CLOCK}, told AS (
         SELECT * FROM unnest(CAST(:callIds AS uuid[]), CAST(:versions AS bigint[]), CAST(:occupied AS boolean[]),
                              CAST(:joined AS smallint[]))
           AS told (call_id, version, is_occupied, joined)),
       picked AS (
         SELECT calls.id, calls.joined_sides | told.joined AS joined_sides,
           CASE WHEN ${isNews} THEN told.version ELSE calls.occupancy_version END AS occupancy_version,
           CASE WHEN NOT (${isNews}) THEN calls.peers_gone_since WHEN NOT is_occupied THEN clock.at END AS gone_since
         FROM calls JOIN told ON calls.id = told.call_id CROSS JOIN clock
         WHERE calls.status IN ('connecting', 'active') AND (${isNews} OR told.joined & ~calls.joined_sides <> 0)
         ORDER BY calls.id FOR UPDATE OF calls)
       UPDATE calls SET occupancy_version = picked.occupancy_version, joined_sides = picked.joined_sides,
         first_joined_at = coalesce(first_joined_at, clock.at), peers_gone_since = gone_since,
         deadline_at = CASE status WHEN 'connecting' THEN ring_expires_at ELSE least(
           CASE WHEN picked.joined_sides <> ${BOTH_JOINED} THEN answered_at + ${after('setupMs')} END,
           CASE WHEN gone_since IS NOT NULL THEN greatest(gone_since, answered_at) + ${after('lostMs')} END) END
       FROM clock CROSS JOIN picked WHERE calls.id = picked.id`,
      {
        callIds: facts.map(({ callId }) => callId),
        versions: facts.map(({ version }) => version),
        occupied: facts.map(({ isOccupied }) => isOccupied),
        joined: facts.map(({ joined }) => joined),
        ...this.#limits,
      },
    )
  }

  /** Active calls whose setup or lost-peers limit has passed, the longest overdue first, each with its occupancy. */
  async findAbandoned(limit: number, scope?: GroupScope): Promise<Call[]> {
    const { sql, bindings } = inScope('call_group', scope)
    const { rows } = await this.#db.raw<{ rows: CallRow[] }>(
      `SELECT * FROM calls WHERE status = 'active' AND deadline_at <= clock_timestamp() ${sql}
       ORDER BY deadline_at LIMIT :limit`,
      { limit, ...bindings },
    )
    return rows.map(callFromRow)
  }

  /** How many calls ring, and how many are answered: two counts in indexes of live calls alone. */
  async countLive(): Promise<{ connecting: number; active: number }> {
    const { rows } = await this.#db.raw<{ rows: { connecting: number; active: number }[] }>(
      `SELECT (SELECT count(*)::int FROM calls WHERE status = 'connecting') AS connecting,
              (SELECT count(*)::int FROM calls WHERE status = 'active') AS active`,
    )
    return rows[0] ?? { connecting: 0, active: 0 }
  }

  async shareContact(userId: string, otherUserId: string): Promise<boolean> {
    const { rows } = await this.#db.raw<{ rows: unknown[] }>(
      'SELECT FROM contacts WHERE user_id = :userId AND contact_id = :otherUserId',
      { userId, otherUserId },
    )
    return rows.length === 1
  }

  /** A page of all active calls in the order of their ids, after `afterId`. */
  async findActive(afterId: string | undefined, limit: number, scope?: GroupScope): Promise<Call[]> {
    const { sql, bindings } = inScope('call_group', scope)
    const { rows } = await this.#db.raw<{ rows: CallRow[] }>(
      `SELECT * FROM calls WHERE status = 'active' AND id > :afterId ${sql} ORDER BY id LIMIT :limit`,
      { afterId: afterId ?? '00000000-0000-0000-0000-000000000000', limit, ...bindings },
    )
    return rows.map(callFromRow)
  }
}

function storedCall(row: StoredRow): StoredCall {
  return { ...callFromRow(row), overdue: row.overdue, readAt: row.read_at }
}
