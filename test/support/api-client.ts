/**
 * The public REST API as a typed client: one method for each route, nothing thrown for a refusal. What is thrown for is a
 * response that the OpenAPI document does not describe: every test holds the API to its document by using it.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { ErrorBody } from '../../core/protocol/errors.ts'
import type {
  ActiveCallsResponse,
  AnswerResponse,
  CallStatusResponse,
  CallTimelineResponse,
  DeadLettersResponse,
  DemoSignInResponse,
  DemoUsersResponse,
  EndRequestReason,
  EndResponse,
  HealthResponse,
  HistoryResponse,
  IceServersResponse,
  InitiateResponse,
  MergedResponse,
  PresenceCheckResponse,
  PresenceResponse,
  PresenceStatus,
  PresenceUpdateResponse,
  ReplayResponse,
  RingingResponse,
  Visibility,
} from '../../core/protocol/http.ts'
import type { CallType } from '../../core/protocol/signaling.ts'
import type { TicketResponse } from '../../core/protocol/socket-ticket.ts'
import { assertDocumented } from './openapi-contract.ts'
import { patient } from './patience.ts'
import { mintToken, type TokenClaims } from './tokens.ts'

export interface ApiResponse<T> {
  status: number
  headers: Headers
  /** The parsed body as a success has it; look at `status` first. */
  body: T
  /** The envelope of a refusal, undefined below 400. */
  error: ErrorBody['error'] | undefined
  /** The body's text as it came. */
  text: string
}

export interface RequestOptions {
  headers?: Record<string, string>
  /** Sent as it is where it is a string or bytes, as JSON otherwise. */
  body?: unknown
  query?: Record<string, string | number>
}

/** A net under tests on a machine that is very busy; a hanging answer is caught by the test's own timeout. */
const REQUEST_DEADLINE_MS = patient(20_000)

export class ApiClient {
  readonly baseUrl: string
  readonly #token: string | undefined

  /** `baseUrl` is the edge's or one API process's origin, without a trailing slash. */
  constructor(baseUrl: string, token?: string) {
    this.baseUrl = baseUrl
    this.#token = token
  }

  /** The same server as somebody else. */
  as(token: string | undefined): ApiClient {
    return new ApiClient(this.baseUrl, token)
  }

  initiate(
    body: { caller_id: string; callee_id: string; call_type?: CallType; decline_ringing?: boolean; on_glare?: 'merge' },
    idempotencyKey?: string,
  ): Promise<ApiResponse<InitiateResponse>> {
    const headers = idempotencyKey === undefined ? undefined : { 'idempotency-key': idempotencyKey }
    return this.request('POST', '/api/v1/calls/initiate', { body: { call_type: 'voice', ...body }, headers })
  }

  /** An initiate that answers the callee's call, where there is one at this moment. */
  initiateOrMerge(
    body: { caller_id: string; callee_id: string; call_type?: CallType; device_id?: string },
    idempotencyKey?: string,
  ): Promise<ApiResponse<InitiateResponse | MergedResponse>> {
    const headers = idempotencyKey === undefined ? undefined : { 'idempotency-key': idempotencyKey }
    const merging = { call_type: 'voice', on_glare: 'merge', ...body }
    return this.request('POST', '/api/v1/calls/initiate', { body: merging, headers })
  }

  socketTicket(): Promise<ApiResponse<TicketResponse>> {
    return this.request('POST', '/api/v1/ws-ticket')
  }

  ringing(callId: string, body?: { user_id?: string }): Promise<ApiResponse<RingingResponse>> {
    return this.request('POST', `/api/v1/calls/${callId}/ringing`, { body })
  }

  answer(callId: string, body: { user_id: string; device_id?: string }): Promise<ApiResponse<AnswerResponse>> {
    return this.request('PUT', `/api/v1/calls/${callId}/answer`, { body })
  }

  end(
    callId: string,
    body?: { user_id?: string; reason?: EndRequestReason; expected_status?: 'connecting' | 'active' },
  ): Promise<ApiResponse<EndResponse>> {
    return this.request('DELETE', `/api/v1/calls/${callId}`, { body })
  }

  status(callId: string): Promise<ApiResponse<CallStatusResponse>> {
    return this.request('GET', `/api/v1/calls/${callId}/status`)
  }

  timeline(callId: string): Promise<ApiResponse<CallTimelineResponse>> {
    return this.request('GET', `/api/v1/calls/${callId}/timeline`)
  }

  activeCalls(userId: string): Promise<ApiResponse<ActiveCallsResponse>> {
    return this.request('GET', `/api/v1/calls/user/${userId}/active`)
  }

  history(userId: string, query?: Record<string, string | number>): Promise<ApiResponse<HistoryResponse>> {
    return this.request('GET', `/api/v1/calls/user/${userId}/history`, { query })
  }

  presence(userId: string): Promise<ApiResponse<PresenceResponse>> {
    return this.request('GET', `/api/v1/presence/status/${userId}`)
  }

  setPresence(body: {
    status: PresenceStatus
    call_id?: string
    visibility?: Visibility
    user_id?: string
  }): Promise<ApiResponse<PresenceUpdateResponse>> {
    return this.request('PUT', '/api/v1/presence/status', { body })
  }

  checkPresence(userId: string): Promise<ApiResponse<PresenceCheckResponse>> {
    return this.request('GET', `/api/v1/presence/check/${userId}`)
  }

  signInToDemo(name: string): Promise<ApiResponse<DemoSignInResponse>> {
    return this.request('POST', '/api/v1/demo/sign-in', { body: { name } })
  }

  demoUsers(): Promise<ApiResponse<DemoUsersResponse>> {
    return this.request('GET', '/api/v1/demo/users')
  }

  health(): Promise<ApiResponse<HealthResponse>> {
    return this.request('GET', '/health')
  }

  detailedHealth(): Promise<ApiResponse<HealthResponse>> {
    return this.request('GET', '/health/detailed')
  }

  iceServers(): Promise<ApiResponse<IceServersResponse>> {
    return this.request('GET', '/api/v1/webrtc/ice-servers')
  }

  deadLetters(query?: Record<string, string | number>): Promise<ApiResponse<DeadLettersResponse>> {
    return this.request('GET', '/api/v1/webhooks/dead-letters', { query })
  }

  replay(id: string): Promise<ApiResponse<ReplayResponse>> {
    return this.request('POST', `/api/v1/webhooks/dead-letters/${id}/replay`)
  }

  replayAll(body?: { endpoint?: string }): Promise<ApiResponse<ReplayResponse>> {
    return this.request('POST', '/api/v1/webhooks/dead-letters/replay', { body })
  }

  /** Any request at all, also one that no sane client would send. */
  async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<ApiResponse<T>> {
    const query = options.query === undefined ? '' : `?${new URLSearchParams(asStrings(options.query))}`
    const headers: Record<string, string> = {}
    if (this.#token !== undefined) headers.authorization = `Bearer ${this.#token}`
    if (options.body !== undefined) headers['content-type'] = 'application/json'
    const response = await fetch(`${this.baseUrl}${path}${query}`, {
      method,
      headers: { ...headers, ...options.headers },
      body: bodyOf(options.body),
      redirect: 'manual',
      signal: AbortSignal.timeout(REQUEST_DEADLINE_MS),
    })
    const text = await response.text()
    const body = isJson(response) && text !== '' ? JSON.parse(text) : undefined
    const { status, headers: answered } = response
    assertDocumented({ method, path, status, headers: answered, body })
    return {
      status: response.status,
      headers: response.headers,
      body: body as T,
      error: response.status >= 400 ? (body as ErrorBody | undefined)?.error : undefined,
      text,
    }
  }
}

/** A user who never existed before this test, with a token and a client of their own. */
export interface TestUser {
  id: string
  token: string
  api: ApiClient
}

/** Makes a user; `claims` adds to or replaces the token's. */
export function createUser(baseUrl: string, secret: string, claims: Partial<TokenClaims> = {}): TestUser {
  const id = claims.sub ?? randomUUID()
  const token = mintToken(secret, { ...claims, sub: id })
  return { id, token, api: new ApiClient(baseUrl, token) }
}

/** Tries of a request that is answered by 503, each after the time that the answer names. */
const TRIES = 8

/**
 * A starved machine may answer 503 with Retry-After to what a test begins with, and that is right. A client that does
 * as it says gets an answer. `send` must be harmless when it is repeated.
 */
export async function persistently<T>(send: () => Promise<ApiResponse<T>>): Promise<ApiResponse<T>> {
  for (let attempt = 1; ; attempt++) {
    const answer = await send()
    if (answer.status !== 503 || attempt === TRIES) return answer
    await pause(Number(answer.headers.get('retry-after')) * 1000)
  }
}

/** A call between two users up to the state that a test starts from. */
export async function ring(caller: TestUser, callee: TestUser, type: CallType = 'voice'): Promise<string> {
  const [body, key] = [{ caller_id: caller.id, callee_id: callee.id, call_type: type }, randomUUID()]
  const initiated = await persistently(() => caller.api.initiate(body, key))
  if (initiated.status !== 201) throw new Error(`initiate answered ${initiated.status}: ${initiated.text}`)
  return initiated.body.call_id
}

/** A call that the callee has answered. */
export async function connect(caller: TestUser, callee: TestUser, type: CallType = 'voice'): Promise<string> {
  const callId = await ring(caller, callee, type)
  const answered = await callee.api.answer(callId, { user_id: callee.id })
  if (answered.status !== 200) throw new Error(`answer answered ${answered.status}: ${answered.text}`)
  return callId
}

function isJson(response: Response): boolean {
  return (response.headers.get('content-type') ?? '').startsWith('application/json')
}

function bodyOf(body: unknown): string | Uint8Array<ArrayBuffer> | undefined {
  if (body === undefined || typeof body === 'string') return body
  return body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body)
}

function asStrings(query: Record<string, string | number>): Record<string, string> {
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)]))
}
