/** Users of the demo: whoever gives a name is the user of that name. Nothing proves it, so production has none of this. */
import { type Database, databaseFault } from '../platform/postgres.ts'

export interface DemoUser {
  userId: string
  /** As it was written at the first sign-in. */
  name: string
}

export class DemoUsers {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /**
   * The user of this name, made where there is none yet. May be carried out twice.
   * @throws SERVICE_UNAVAILABLE while Postgres is away
   */
  async signIn(name: string): Promise<DemoUser> {
    const [user] = await this.#run(
      `INSERT INTO demo_users AS known (name, name_key) VALUES (:name, :key)
       ON CONFLICT (name_key) DO UPDATE SET signed_in_at = clock_timestamp()
       RETURNING user_id, name`,
      { name, key: name.normalize('NFKC').toLowerCase() },
    )
    if (user === undefined) throw new Error('An upsert must return its row')
    return user
  }

  /**
   * The users who signed in last, the latest first.
   * @throws SERVICE_UNAVAILABLE while Postgres is away
   */
  async latest(limit: number): Promise<DemoUser[]> {
    return this.#run('SELECT user_id, name FROM demo_users ORDER BY signed_in_at DESC LIMIT :limit', { limit })
  }

  async #run(sql: string, bindings: Record<string, string | number>): Promise<DemoUser[]> {
    try {
      const { rows } = await this.#db.raw<{ rows: { user_id: string; name: string }[] }>(sql, bindings)
      return rows.map(({ user_id, name }) => ({ userId: user_id, name }))
    } catch (error) {
      throw databaseFault(error)
    }
  }
}
