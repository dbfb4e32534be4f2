/** What the page asks the service beside calls: sign-in, users, presence, history. Calls go through the client library. */
import type { ErrorBody } from '../core/protocol/errors.ts'
import type {
  DemoSignInResponse,
  DemoUser,
  DemoUsersResponse,
  HistoryResponse,
  PresenceStatus,
} from '../core/protocol/http.ts'

export type HistoryEntry = HistoryResponse['calls'][number]

export interface HistoryFilter {
  type: 'voice' | 'video' | undefined
  status: HistoryEntry['status'] | undefined
}

const DEADLINE_MS = 10_000
const PAGE_SIZE = 20

/** A refusal by the service, or no answer (`NETWORK_ERROR`). */
export class ServiceError extends Error {
  readonly code: string
  readonly retryAfterSeconds: number | undefined

  constructor(code: string, message: string, retryAfterSeconds?: number) {
    super(message)
    this.code = code
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** @throws ServiceError, for instance `INVALID_REQUEST` for a name that is none */
export function signIn(name: string): Promise<DemoSignInResponse> {
  return ask('POST', '/demo/sign-in', { body: { name } })
}

export class Service {
  readonly #token: () => Promise<string>

  /** `token` gives one that is good now. */
  constructor(token: () => Promise<string>) {
    this.#token = token
  }

  async users(): Promise<DemoUser[]> {
    return (await this.#ask<DemoUsersResponse>('GET', '/demo/users')).users
  }

  async setPresence(status: PresenceStatus): Promise<void> {
    await this.#ask('PUT', '/presence/status', { status })
  }

  /** One page of the user's history, the newest first; `cursor` is the `next_cursor` of the page before. */
  history(userId: string, { type, status }: HistoryFilter, cursor?: string): Promise<HistoryResponse> {
    const query = new URLSearchParams({ limit: String(PAGE_SIZE) })
    if (type !== undefined) query.set('call_type', type)
    if (status !== undefined) query.set('status', status)
    if (cursor !== undefined) query.set('cursor', cursor)
    return this.#ask('GET', `/calls/user/${userId}/history?${query}`)
  }

  async #ask<T>(method: string, path: string, body?: object): Promise<T> {
    return ask(method, path, { body, token: await this.#token() })
  }
}

async function ask<T>(method: string, path: string, options: { body?: object; token?: string }): Promise<T> {
  const { body, token } = options
  const response = await fetch(`/api/v1${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    redirect: 'error',
    credentials: 'omit',
    cache: 'no-store',
    signal: AbortSignal.timeout(DEADLINE_MS),
  }).catch(() => {
    throw new ServiceError('NETWORK_ERROR', 'No answer')
  })
  const answer = (await response.json().catch(() => undefined)) as T | ErrorBody | undefined
  if (response.ok && answer !== undefined) return answer as T
  const error = (answer as ErrorBody | undefined)?.error
  const retryAfter = Number(response.headers.get('retry-after')) || undefined
  throw new ServiceError(error?.code ?? 'NETWORK_ERROR', error?.message ?? `Answer ${response.status}`, retryAfter)
}
