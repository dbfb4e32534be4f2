/** Writes when users were last connected, in bulk, so that `last_seen` is in Postgres to within 60 s (decisions, "Presence"). */
import type { Logger } from '../platform/logger.ts'
import type { Database } from '../platform/postgres.ts'

/** Half of the promised 60 s: one missed write does not break the promise. */
const WRITE_EVERY_MS = 30_000
/** Users in one statement. */
const BATCH = 1000

export class LastSeen {
  readonly #db: Database
  readonly #log: Logger
  readonly #connected: () => Iterable<string>
  /** Users whose connection ended since the last write. */
  readonly #gone = new Set<string>()
  #timer: NodeJS.Timeout | undefined

  /** `connected` names the users who have a connection now. */
  constructor(db: Database, log: Logger, connected: () => Iterable<string>) {
    this.#db = db
    this.#log = log
    this.#connected = connected
  }

  start(): void {
    this.#timer = setInterval(() => void this.write(), WRITE_EVERY_MS)
  }

  gone(userId: string): void {
    this.#gone.add(userId)
  }

  /** Writes once. What could not be written is written the next time. */
  async write(): Promise<void> {
    const users = [...new Set([...this.#connected(), ...this.#gone])]
    const gone = [...this.#gone]
    this.#gone.clear()
    try {
      for (let at = 0; at < users.length; at += BATCH)
        await this.#db.raw(
          `INSERT INTO user_presence (user_id, last_seen_at)
           SELECT user_id, now() FROM unnest(?::uuid[]) AS user_id ORDER BY user_id
           ON CONFLICT (user_id) DO UPDATE SET last_seen_at = excluded.last_seen_at`,
          [users.slice(at, at + BATCH)],
        )
    } catch (error) {
      for (const userId of gone) this.#gone.add(userId)
      this.#log.debug({ err: (error as Error).message }, 'last seen not written yet')
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.write()
  }
}
