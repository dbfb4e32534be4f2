/** Who is there, and who may know (contract decisions, "Presence"). */
import type { MockClock } from '../clock.ts'

export type Visibility = 'everyone' | 'contacts' | 'nobody'

interface Entry {
  isSetOffline: boolean
  /** `online` by a PUT holds until then, without any connection. */
  onlineUntilMs: number
  connections: number
  lastSeenMs: number | undefined
  visibility: Visibility
}

/** How long a PUT of online holds without a connection. */
const ONLINE_MS = 300_000

export class PresenceBook {
  readonly #clock: MockClock
  readonly #entries = new Map<string, Entry>()

  constructor(clock: MockClock) {
    this.#clock = clock
  }

  set(userId: string, status: 'online' | 'offline', visibility?: Visibility): void {
    const entry = this.#of(userId)
    entry.isSetOffline = status === 'offline'
    entry.lastSeenMs = this.#clock.now()
    entry.onlineUntilMs = status === 'online' ? this.#clock.now() + ONLINE_MS : 0
    if (visibility !== undefined) entry.visibility = visibility
  }

  connected(userId: string): void {
    const entry = this.#of(userId)
    entry.connections += 1
    entry.lastSeenMs = this.#clock.now()
  }

  disconnected(userId: string): void {
    const entry = this.#of(userId)
    entry.connections -= 1
    entry.lastSeenMs = this.#clock.now()
  }

  statusOf(userId: string): 'online' | 'offline' {
    const entry = this.#of(userId)
    if (entry.isSetOffline) return 'offline'
    return entry.connections > 0 || entry.onlineUntilMs > this.#clock.now() ? 'online' : 'offline'
  }

  isSetOffline(userId: string): boolean {
    return this.#of(userId).isSetOffline
  }

  visibilityOf(userId: string): Visibility {
    return this.#of(userId).visibility
  }

  lastSeen(userId: string): string | null {
    const entry = this.#of(userId)
    const isThere = entry.connections > 0 && !entry.isSetOffline
    const seenMs = isThere ? this.#clock.now() : entry.lastSeenMs
    return seenMs === undefined ? null : new Date(seenMs).toISOString()
  }

  #of(userId: string): Entry {
    const entry = this.#entries.get(userId) ?? {
      isSetOffline: false,
      onlineUntilMs: 0,
      connections: 0,
      lastSeenMs: undefined,
      visibility: 'everyone' as const,
    }
    this.#entries.set(userId, entry)
    return entry
  }
}
