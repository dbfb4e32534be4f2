/**
 * Who is there (decisions, "Presence"). Postgres keeps what a user has set, Redis who is connected; whether somebody is
 * in a call is for the calls to say, which this folder does not know.
 */
import type { Logger } from '../platform/logger.ts'
import { AppError } from '../protocol/errors.ts'
import type { PresenceStatus, Visibility } from '../protocol/http.ts'
import type { PresenceStore, StoredPresence } from './presence-store.ts'

export interface Presence {
  userId: string
  status: PresenceStatus
  visibility: Visibility
  /** Null for a user who was never seen. */
  lastSeenAt: Date | null
}

export interface PresenceUpdate {
  status: PresenceStatus
  visibility: Visibility
  updatedAt: Date
}

interface PresenceDeps {
  store: Pick<PresenceStore, 'findMany' | 'markSeen' | 'write'>
  /** Rejects while Redis is away. */
  connections: { isConnected(userId: string): Promise<boolean> }
  /** How long a PUT of `online` counts without any connection. */
  onlineAfterPutMs: number
  log: Pick<Logger, 'debug'>
}

export class PresenceService {
  readonly #deps: PresenceDeps

  constructor(deps: PresenceDeps) {
    this.#deps = deps
  }

  /**
   * The presence of any user, also one never seen: offline, `lastSeenAt` null.
   *
   * While Redis is away nobody can be asked who is connected; then a user counts as online who was seen so lately that
   * a node must have written it. That is late by half a minute after a connect and by a minute and a half after a
   * disconnect.
   * @throws SERVICE_UNAVAILABLE while Postgres is away: a set `offline` or a visibility must not be overlooked
   */
  async find(userId: string): Promise<Presence> {
    const [presence] = await this.findMany([userId])
    if (presence === undefined) throw new Error('Each user has a presence')
    return presence
  }

  /** As {@link find} for each of the users, in their order, with one question to Postgres. */
  async findMany(userIds: string[]): Promise<Presence[]> {
    const { store } = this.#deps
    const [stored, connected] = await Promise.all([
      store.findMany(userIds),
      Promise.all(userIds.map((userId) => this.#isConnected(userId))),
    ])
    const present = userIds.filter((userId, index) => connected[index] === true && isToBeMarked(stored.get(userId)))
    if (present.length > 0) {
      // Stored before it is shown: what anybody has seen of `last_seen` once, nobody sees an earlier time of.
      await store.markSeen(present)
      for (const [userId, now] of await store.findMany(present)) stored.set(userId, now)
    }
    return userIds.map((userId, index) => presenceOf(userId, stored.get(userId), connected[index]))
  }

  /** Undefined where nobody can tell. */
  async #isConnected(userId: string): Promise<boolean | undefined> {
    const { connections, log } = this.#deps
    return connections.isConnected(userId).catch((error: Error) => {
      log.debug({ err: error.message, userId }, 'connections unknown, presence from the database alone')
      return undefined
    })
  }

  /**
   * Sets what the user wants to be; durable when it returns.
   * @throws PRESENCE_UPDATE_FAILED when it cannot be stored; nothing has changed then. Redis is not needed
   */
  async update(userId: string, status: PresenceStatus, visibility?: Visibility): Promise<PresenceUpdate> {
    const setOffline = status === 'offline'
    try {
      const written = await this.#deps.store.write({
        userId,
        setOffline,
        visibility,
        onlineForMs: this.#deps.onlineAfterPutMs,
      })
      return { status, ...written }
    } catch (error) {
      if (error instanceof AppError && error.code === 'SERVICE_UNAVAILABLE')
        throw new AppError('PRESENCE_UPDATE_FAILED', undefined, { cause: error })
      throw error
    }
  }
}

function presenceOf(userId: string, stored: StoredPresence | undefined, connected: boolean | undefined): Presence {
  const present = connected ?? stored?.seenLately ?? false
  const online = stored?.setOffline !== true && (present || stored?.onlineByPut === true)
  return {
    userId,
    status: online ? 'online' : 'offline',
    visibility: stored?.visibility ?? 'everyone',
    lastSeenAt: stored?.lastSeenAt ?? null,
  }
}

/** Of a connected user: a set `offline` keeps what is stored, or it would tell that its user is there. */
function isToBeMarked(stored: StoredPresence | undefined): boolean {
  return stored === undefined || (!stored.setOffline && !stored.seenJustNow)
}

/**
 * Whether `presence` shows itself to others of the given kind. Oneself and a `calls:manage` token always see, which is
 * for the caller to know; `isContact` is asked only where it matters.
 */
export async function isVisibleTo(presence: Presence, isContact: () => Promise<boolean>): Promise<boolean> {
  if (presence.visibility === 'everyone') return true
  return presence.visibility === 'contacts' && (await isContact())
}
