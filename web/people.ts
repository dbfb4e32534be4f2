/** Who has signed in and who is there, asked for again while somebody looks. */
import type { DemoUser } from '../core/protocol/http.ts'
import type { Service } from './service.ts'
import { Store } from './store.ts'

export interface PeopleState {
  /** Undefined until the service has answered for the first time. */
  users: DemoUser[] | undefined
  /** When that was asked, in milliseconds since 1970. */
  askedAt: number
  /** The last question got no answer: the list may be old. */
  isStale: boolean
}

/** Short enough to see a friend come in, long enough to cost the service nothing. */
const EVERY_MS = 2_500

export class People {
  readonly state = new Store<PeopleState>({ users: undefined, askedAt: 0, isStale: false })
  readonly #service: Service
  readonly #onVisible = () => {
    if (document.visibilityState === 'visible') void this.refresh()
  }
  #timer: ReturnType<typeof setInterval> | undefined
  #asking: Promise<void> | undefined

  constructor(service: Service) {
    this.#service = service
  }

  start(): void {
    document.addEventListener('visibilitychange', this.#onVisible)
    this.#timer = setInterval(this.#onVisible, EVERY_MS)
    void this.refresh()
  }

  stop(): void {
    document.removeEventListener('visibilitychange', this.#onVisible)
    clearInterval(this.#timer)
  }

  /** Asks now. One question at a time. */
  refresh(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  /** The user's name. Somebody who came by another door has none. */
  nameOf(userId: string): string {
    return this.state.value.users?.find(({ user_id }) => user_id === userId)?.name ?? `User ${userId.slice(0, 8)}`
  }

  knows(userId: string): boolean {
    return this.state.value.users?.some(({ user_id }) => user_id === userId) ?? false
  }

  async #ask(): Promise<void> {
    const askedAt = Date.now()
    try {
      this.state.set({ users: await this.#service.users(), askedAt, isStale: false })
    } catch {
      this.state.set({ ...this.state.value, isStale: true })
    }
  }
}

/** The others, who is there first, then by name. */
export function sorted(users: DemoUser[], ownId: string): DemoUser[] {
  const rank = ({ status }: DemoUser) => (status === 'online' ? 0 : 1)
  return users
    .filter(({ user_id }) => user_id !== ownId)
    .sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name) || a.user_id.localeCompare(b.user_id))
}
