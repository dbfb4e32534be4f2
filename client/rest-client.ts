/** The service's REST API: the requests that calls need. Each is repeated where it may have been lost; all of them may be. */
import type { ErrorBody } from '../core/protocol/errors.ts'
import type {
  AnswerResponse,
  CallStatusResponse,
  EndRequestReason,
  EndResponse,
  IceServersResponse,
  InitiateResponse,
  MergedResponse,
} from '../core/protocol/http.ts'
import type { CallType } from '../core/protocol/signaling.ts'
import { asCallingError, CallingError, errorOfBody } from './errors.ts'
import { pause } from './platform.ts'

export interface InitiateRequest {
  caller_id: string
  callee_id: string
  call_type: CallType
  device_id: string
  on_glare?: 'merge'
  decline_ringing?: boolean
}

export interface EndRequest {
  user_id: string
  reason: EndRequestReason
  /** A call that is live in another state goes on: `CONFLICT`. */
  expected_status?: 'connecting' | undefined
}

const REQUEST_DEADLINE_MS = 10_000
/** With the waits between them: some 6 s of a service that answers nothing at all. */
const ATTEMPTS = 5
const FIRST_PAUSE_MS = 300
/** Of the edge, which speaks for a process that died. */
const LOST_ON_THE_WAY = new Set([502, 503, 504])

export class RestClient {
  readonly #base: URL
  readonly #token: () => Promise<string>

  constructor(origin: URL, token: () => Promise<string>) {
    this.#base = origin
    this.#token = token
  }

  /** The key makes a repetition harmless. */
  initiate(body: InitiateRequest): Promise<InitiateResponse | MergedResponse> {
    return this.#ask('POST', '/calls/initiate', body, { 'idempotency-key': crypto.randomUUID() })
  }

  /** Harmless when repeated by the same device. */
  answer(callId: string, body: { user_id: string; device_id: string }): Promise<AnswerResponse> {
    return this.#ask('PUT', `/calls/${callId}/answer`, body)
  }

  /** @throws CALL_ALREADY_ENDED also where an earlier attempt of the same request has ended it */
  end(callId: string, body: EndRequest): Promise<EndResponse> {
    return this.#ask('DELETE', `/calls/${callId}`, body)
  }

  status(callId: string): Promise<CallStatusResponse> {
    return this.#ask('GET', `/calls/${callId}/status`)
  }

  iceServers(): Promise<IceServersResponse> {
    return this.#ask('GET', '/webrtc/ice-servers')
  }

  /** As {@link status}, asked once. */
  statusNow(callId: string): Promise<CallStatusResponse> {
    return this.#once('GET', `/calls/${callId}/status`)
  }

  /** As {@link iceServers}, asked once. */
  iceServersNow(): Promise<IceServersResponse> {
    return this.#once('GET', '/webrtc/ice-servers')
  }

  async #ask<T>(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#once<T>(method, path, body, headers)
      } catch (error) {
        const reason = asCallingError(error, 'NETWORK_ERROR')
        if (attempt === ATTEMPTS || !mayBeLost(reason)) throw reason
        await pause(reason.retryAfterMs ?? Math.random() * FIRST_PAUSE_MS * 2 ** attempt)
      }
    }
  }

  async #once<T>(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<T> {
    const token = await this.#token()
    const response = await fetch(new URL(`/api/v1${path}`, this.#base), {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      // The token stays with this origin: no redirect takes it elsewhere.
      redirect: 'error',
      credentials: 'omit',
      cache: 'no-store',
      signal: AbortSignal.timeout(REQUEST_DEADLINE_MS),
    }).catch((error: unknown) => {
      throw new CallingError('NETWORK_ERROR', `${method} ${path} got no answer`, { cause: error })
    })
    const answer = (await response.json().catch(() => undefined)) as T | ErrorBody | undefined
    if (response.ok && answer !== undefined) return answer as T
    const { status } = response
    if (isEnvelope(answer)) throw errorOfBody(answer, status, response.headers.get('retry-after'))
    throw new CallingError('NETWORK_ERROR', `${method} ${path} answered ${status}`, { status })
  }
}

function mayBeLost({ code, status }: CallingError): boolean {
  return code === 'NETWORK_ERROR' || (status !== undefined && LOST_ON_THE_WAY.has(status))
}

function isEnvelope(answer: unknown): answer is ErrorBody {
  return typeof (answer as Partial<ErrorBody> | undefined)?.error?.code === 'string'
}
