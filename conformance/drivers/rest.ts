/** Requests to the REST half, and what every answer of it must be. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { assertEnvelope } from '../shapes.ts'
import type { User } from '../users.ts'

export interface Answer {
  status: number
  headers: Headers
  body: Body
  text: string
}

/**
 * A body as if it had every field of every answer: a trial that reads one which is not there fails for it. Whole bodies
 * are held to their shapes.
 */
export interface Body {
  call_id: string
  status: string
  duration: number
  end_reason: string
  created_at: string
  expires_at: string
  signaling_url: string
  call_type: string
  initiated_by: string
  role: string
  merged: boolean
  ring_state: string
  participants: { user_id: string; connection_status: string }[]
  active_calls: [{ call_id: string; status: string }]
  calls: [Body]
  pagination: { total: number; has_more: boolean; next_cursor: string }
  ticket: string
  ttl_seconds: number
  iceServers: { urls: string | string[] }[]
  error: { code: string; message: string; details?: Record<string, unknown> }
}

export interface RequestOptions {
  body?: unknown
  /** Sent as it is, in place of `body`. */
  raw?: string
  headers?: Record<string, string>
  /** The answer to a limit is what is tried: it is not waited out. */
  takesLimits?: boolean
}

/** The longest that a limit of the contract makes anybody wait is its minute; of unanswered rings, ten. */
const MOST_WAITS = 12

export class Rest {
  readonly #origin: string

  constructor(origin: string) {
    this.#origin = origin
  }

  /**
   * One request in the name of a user, or of nobody. A limit that few users share is waited for, as `Retry-After` says.
   * Every answer has a request id, and every error the envelope.
   */
  async request(user: User | undefined, method: string, path: string, options: RequestOptions = {}): Promise<Answer> {
    for (let waits = 0; ; waits++) {
      const answer = await this.#send(user, method, path, options)
      const waitable = answer.status === 429 || answer.status === 503
      if (!waitable || options.takesLimits === true || waits === MOST_WAITS) return answer
      await pause(1000 * Number(answer.headers.get('retry-after') ?? 1))
    }
  }

  async #send(user: User | undefined, method: string, path: string, options: RequestOptions): Promise<Answer> {
    const { body, raw, headers = {} } = options
    const content = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    const response = await fetch(this.#origin + path, {
      method,
      headers: {
        ...(user === undefined ? {} : { authorization: `Bearer ${user.token}` }),
        ...(content === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(content === undefined ? {} : { body: content }),
      redirect: 'manual',
    })
    const text = await response.text()
    const answer = { status: response.status, headers: response.headers, body: parse(text), text }
    assert.match(response.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/, 'X-Request-Id is missing')
    if (answer.status >= 400 && !path.includes('/health')) assertEnvelope(answer)
    return answer
  }

  initiate(
    caller: User,
    callee: User,
    options: RequestOptions & { type?: string; extra?: object } = {},
  ): Promise<Answer> {
    const { type = 'voice', extra, ...others } = options
    const body = { caller_id: caller.id, callee_id: callee.id, call_type: type, ...extra }
    return this.request(caller, 'POST', '/api/v1/calls/initiate', { body, ...others })
  }

  answer(user: User, callId: string, extra: object = {}): Promise<Answer> {
    return this.request(user, 'PUT', `/api/v1/calls/${callId}/answer`, { body: { user_id: user.id, ...extra } })
  }

  end(user: User, callId: string, reason = 'user_hangup', extra: object = {}): Promise<Answer> {
    const body = { user_id: user.id, reason, ...extra }
    return this.request(user, 'DELETE', `/api/v1/calls/${callId}`, { body })
  }

  status(user: User, callId: string): Promise<Answer> {
    return this.request(user, 'GET', `/api/v1/calls/${callId}/status`)
  }

  active(user: User): Promise<Answer> {
    return this.request(user, 'GET', `/api/v1/calls/user/${user.id}/active`)
  }

  history(user: User, query = ''): Promise<Answer> {
    return this.request(user, 'GET', `/api/v1/calls/user/${user.id}/history${query}`)
  }
}

/** Where it is no JSON the body is empty, and every look at a field of it fails. */
function parse(text: string): Body {
  try {
    return (JSON.parse(text) ?? {}) as Body
  } catch {
    return {} as Body
  }
}

/** An id that nobody has. */
export const nobody = (): string => randomUUID()
