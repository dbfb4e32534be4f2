/** What the tests of calls stand on: a database of their own, and call services as separate processes would have them. */
import { randomUUID } from 'node:crypto'
import { Registry } from 'prom-client'
import { CallEvents } from '../../core/calls/call-events.ts'
import { CallService } from '../../core/calls/call-service.ts'
import type { EventPublisher } from '../../core/calls/group-events.ts'
import { type Config, loadConfig } from '../../core/platform/config.ts'
import { createLogger } from '../../core/platform/logger.ts'
import { createDatabase, type Database } from '../../core/platform/postgres.ts'
import { BOTH_JOINED, type SeenRoom, SIDE_JOINED } from '../../core/protocol/occupancy.ts'
import { type Postgres, startPostgres } from '../../dev/cluster/postgres.ts'
import { migrate } from '../../migrations/migrate.ts'

export const TRIALS = process.env.TRIALS === 'full' ? 10 : 1
export const silent = createLogger({ role: 'api', nodeName: 'test', logLevel: 'silent' })
export const PUBLIC_URL = 'https://calls.example'

/** Rooms as a test wants them: who is connected, or that Redis is away. */
export class ScriptedRooms {
  /** Calls of which both peers are connected. */
  readonly connected = new Set<string>()
  /** Those of which the caller is, and the callee has never joined. */
  readonly half = new Set<string>()
  away = false

  async look(callIds: string[]): Promise<Map<string, SeenRoom>> {
    if (this.away) throw new Error('redis is away')
    return new Map(callIds.map((id) => [id, this.#lookAt(id)]))
  }

  #lookAt(id: string): SeenRoom {
    if (this.half.has(id)) return { isOccupied: true, joined: SIDE_JOINED.a }
    return this.connected.has(id) ? { isOccupied: true, joined: BOTH_JOINED } : { isOccupied: false, joined: 0 }
  }
}

/** Keeps what would go to Redis; rejects while it is away. */
export class RecordingPublisher {
  readonly published: { kind: string; payload: { message: Record<string, unknown> } }[] = []
  away = false

  async publish(_channel: string, message: string | Buffer): Promise<number> {
    if (this.away) throw new Error('redis is away')
    const [kind, payload] = JSON.parse(String(message)).data
    this.published.push({ kind, payload })
    return 1
  }

  of(callId: string) {
    return this.published.filter(({ payload }) => payload.message.call_id === callId)
  }
}

export interface ServiceParts {
  calls: CallService
  db: Database
  rooms: ScriptedRooms
  publisher: RecordingPublisher
  registry: Registry
}

/** One Postgres with the product's schema, and everything that was built on it. */
export class Bench {
  readonly postgres: Postgres
  readonly config: Config
  readonly #closing: (() => Promise<void>)[] = []

  constructor(postgres: Postgres, databaseTimeout: string) {
    this.postgres = postgres
    const env = { DATABASE_URL: postgres.url, DATABASE_TIMEOUT_SECONDS: databaseTimeout, PUBLIC_URL }
    this.config = loadConfig('worker', env)
  }

  /**
   * `databaseTimeout`, in seconds, bounds each statement and each wait for a connection: 5 where an outage is tried, and
   * longer than a busy machine may take where hundreds wait for one another.
   */
  static async start({ databaseTimeout = '5' } = {}): Promise<Bench> {
    const bench = new Bench(await startPostgres(), databaseTimeout)
    await migrate(bench.database())
    return bench
  }

  database(poolMax = 5): Database {
    const db = createDatabase({ ...this.config.postgres, poolMax }, 'test')
    this.#closing.push(() => db.destroy())
    return db
  }

  /** A call service with a pool of its own, like another process. */
  service(
    options: {
      calls?: Partial<Config['calls']>
      poolMax?: number
      publisher?: RecordingPublisher
      /** In place of a publisher. */
      events?: EventPublisher
    } = {},
  ): ServiceParts {
    const db = this.database(options.poolMax)
    const rooms = new ScriptedRooms()
    const publisher = options.publisher ?? new RecordingPublisher()
    const registry = new Registry()
    const calls = new CallService({
      db,
      config: { ...this.config.calls, ...options.calls },
      groups: this.config.groups,
      events:
        options.events ?? new CallEvents(publisher as unknown as ConstructorParameters<typeof CallEvents>[0], 'tchat:'),
      rooms,
      log: silent,
      registry,
    })
    this.#closing.unshift(() => calls.close())
    return { calls, db, rooms, publisher, registry }
  }

  async stop(): Promise<void> {
    for (const close of this.#closing) await close()
    await this.postgres.stop()
  }
}

/** Two users who have never met. */
export function pair(): { callerId: string; calleeId: string; type: 'video' } {
  return { callerId: randomUUID(), calleeId: randomUUID(), type: 'video' }
}

/** Moves a time of a call into the past, as if it had been made earlier. */
export async function backdate(db: Database, callId: string, column: string, ms: number): Promise<void> {
  await db.raw(`UPDATE calls SET ?? = ?? - CAST(? AS double precision) * interval '1 millisecond' WHERE id = ?`, [
    column,
    column,
    ms,
    callId,
  ])
}

/** The code of the AppError that a promise rejects with, or `'resolved'`. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'resolved',
    (error: Error & { code?: string }) => error.code ?? error.message,
  )
}
