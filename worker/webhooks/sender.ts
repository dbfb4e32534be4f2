/** One POST to one receiver: bounded in time, in what is read of the answer, and in where it may go. */
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { isPublicAddress } from '../../core/platform/public-address.ts'
import type { AttemptResult } from '../../core/webhooks/delivery.ts'
import { retryAfterMs } from '../../core/webhooks/retry-after.ts'
import { AddressRefused, checkedLookup, type Resolve, systemResolve } from './checked-lookup.ts'

/** Nobody needs what a receiver answers; so much is read that its connection can be used again. */
const MAX_ANSWER_BYTES = 16 * 1024
/** A receiver may have closed an idle connection at the very moment when it was used again. */
const STALE_CONNECTION = new Set(['ECONNRESET', 'EPIPE'])

export interface SenderOptions {
  url: string
  /** Of an attempt, from the look-up of the name to the end of the answer. Milliseconds. */
  timeoutMs: number
  /** Connections at once. */
  concurrency: number
  allowPrivate: boolean
  resolve?: Resolve
  isAllowed?: (address: string) => boolean
}

export class Sender {
  readonly #url: URL
  readonly #timeoutMs: number
  readonly #isAllowed: (address: string) => boolean
  readonly #open: (headers: Record<string, string>) => ClientRequest
  readonly #agent: HttpAgent

  constructor({ url, timeoutMs, concurrency, allowPrivate, resolve, isAllowed }: SenderOptions) {
    this.#url = new URL(url)
    this.#timeoutMs = timeoutMs
    this.#isAllowed = isAllowed ?? (allowPrivate ? () => true : isPublicAddress)
    const lookup = checkedLookup(resolve ?? systemResolve, this.#isAllowed)
    const isTls = this.#url.protocol === 'https:'
    const agent = isTls
      ? new HttpsAgent({ keepAlive: true, maxSockets: concurrency })
      : new HttpAgent({ keepAlive: true, maxSockets: concurrency })
    this.#agent = agent
    this.#open = (headers) =>
      (isTls ? httpsRequest : httpRequest)(this.#url, { method: 'POST', headers, agent, lookup })
  }

  /** Sends `body` and says how it went. Never rejects, and is over within the timeout. Redirects are not followed. */
  async send(body: string, headers: Record<string, string>): Promise<AttemptResult> {
    // Node asks no look-up for a host that is an address already.
    const host = this.#url.hostname.replace(/^\[|\]$/g, '')
    if (isIP(host) !== 0 && !this.#isAllowed(host)) return { outcome: 'refused_address' }
    const deadlineAt = performance.now() + this.#timeoutMs
    const first = await this.#attempt(body, headers, this.#timeoutMs)
    return first === 'stale' ? this.#again(body, headers, deadlineAt - performance.now()) : first
  }

  /** Closes idle connections. */
  close(): void {
    this.#agent.destroy()
  }

  async #again(body: string, headers: Record<string, string>, leftMs: number): Promise<AttemptResult> {
    const second = await this.#attempt(body, headers, leftMs)
    return second === 'stale' ? { outcome: 'unreachable' } : second
  }

  #attempt(body: string, headers: Record<string, string>, timeoutMs: number): Promise<AttemptResult | 'stale'> {
    return new Promise((resolve) => {
      const request = this.#open({ ...headers, 'content-length': String(Buffer.byteLength(body)) })
      let answer: AttemptResult | undefined
      const end = (result: AttemptResult | 'stale') => {
        clearTimeout(timer)
        resolve(result)
      }
      const timer = setTimeout(() => {
        // Who has answered has answered, even if the answer has no end.
        end(answer ?? { outcome: 'timeout' })
        request.destroy()
      }, timeoutMs)
      request.on('response', (response) => {
        answer = resultOf(response)
        readAway(response).then(() => end(answer ?? { outcome: 'unreachable' }))
      })
      request.on('error', (error: NodeJS.ErrnoException) => {
        if (error instanceof AddressRefused) return end({ outcome: 'refused_address' })
        const isStale = request.reusedSocket && answer === undefined && STALE_CONNECTION.has(error.code ?? '')
        end(isStale ? 'stale' : (answer ?? { outcome: 'unreachable' }))
      })
      request.end(body)
    })
  }
}

function resultOf({ statusCode: status = 0, headers }: IncomingMessage): AttemptResult {
  if (status >= 200 && status < 300) return { outcome: 'delivered', status }
  if (status === 410) return { outcome: 'gone', status }
  const wishMs = retryAfterMs(headers['retry-after'], headers.date)
  return { outcome: 'rejected', status, ...(wishMs === undefined ? {} : { retryAfterMs: wishMs }) }
}

/** Resolves when the answer is over, or longer than anybody reads; its connection is closed then. */
function readAway(response: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_ANSWER_BYTES) response.destroy()
    })
    response.on('error', () => {})
    response.once('close', () => resolve())
  })
}
