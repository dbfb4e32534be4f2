/**
 * REST traffic beside a fault: clients that ask one thing after the other, and send a request once more where it was
 * refused with 503 or its connection was cut. What fails then has failed for its user.
 */
import { randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { mintToken } from '../support/tokens.ts'
import { pause } from './fleet.ts'

interface Answer {
  status: number
  body: string
  /** Milliseconds that the server asks to wait. */
  retryAfterMs: number
}

export interface TrafficResult {
  requests: number
  /** Sent a second time, by what the first one met. */
  retried: Record<string, number>
  /** Failed for good, with their reasons. */
  failed: string[]
  /** Of those that succeeded, ms, retries included. */
  p50: number
  p99: number
  max: number
}

/** For a cluster whose traffic lasts: its few users ask more than a user may. */
export const BUSY_USERS = {
  RATE_LIMIT_INITIATE_PER_MINUTE: '100000',
  RATE_LIMIT_PRESENCE_PER_MINUTE: '100000',
  RATE_LIMIT_HISTORY_PER_MINUTE: '100000',
  UNANSWERED_RINGS_MAX: '100000',
}

const REQUEST_DEADLINE_MS = 20_000
/** Pause of a client between two requests, ms. */
const THINK_MS = 60

export class RestTraffic {
  readonly #cluster: Cluster
  readonly #running: Promise<void>[] = []
  // Connections that are kept, as proxies and backends keep them: the ones that a restart meets.
  readonly #agent = new Agent({ keepAlive: true })
  readonly #took: number[] = []
  readonly #failed: string[] = []
  readonly #retried: Record<string, number> = {}
  #requests = 0
  #stopped = false

  private constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /** Begins at once; each client is a user who sets presence, reads history and makes, answers and ends calls. */
  static async start(cluster: Cluster, { clients }: { clients: number }): Promise<RestTraffic> {
    const traffic = new RestTraffic(cluster)
    running.add(traffic)
    for (let client = 0; client < clients; client++) traffic.#running.push(traffic.#client(client))
    return traffic
  }

  /** How many requests were made so far. */
  get requests(): number {
    return this.#requests
  }

  async #client(index: number): Promise<void> {
    const [me, other] = [randomUUID(), randomUUID()]
    const mine = mintToken(this.#cluster.jwtSecret, { sub: me })
    const theirs = mintToken(this.#cluster.jwtSecret, { sub: other })
    for (let turn = index; !this.#stopped; turn++) {
      await this.#ask(mine, 'GET', `/presence/status/${me}`)
      await this.#ask(mine, 'PUT', '/presence/status', { status: 'online' })
      await this.#ask(mine, 'GET', `/calls/user/${me}/history`)
      // Ten calls a minute are a user's own limit.
      if (turn % 25 !== 0) continue
      const body = { caller_id: me, callee_id: other, call_type: 'voice' }
      const made = await this.#ask(mine, 'POST', '/calls/initiate', body)
      if (made?.status !== 201) continue
      const { call_id: id } = JSON.parse(made.body) as { call_id: string }
      await this.#ask(theirs, 'PUT', `/calls/${id}/answer`, { user_id: other })
      await this.#ask(mine, 'GET', `/calls/${id}/status`)
      await this.#ask(mine, 'DELETE', `/calls/${id}`, { user_id: me })
    }
  }

  /** One request, and once more after a 503 or a reset. Undefined where both failed. */
  async #ask(token: string, method: string, path: string, body?: object): Promise<Answer | undefined> {
    this.#requests += 1
    const startedAt = performance.now()
    // A request that may be sent twice says so (the contract's Idempotency-Key); the others are idempotent as they are.
    const key = randomUUID()
    let answer = await this.#send({ token, method, path, key, fresh: false }, body)
    const isRepeat = answer instanceof Error || answer.status === 503
    if (isRepeat) {
      const why = answer instanceof Error ? answer.message : '503'
      this.#retried[why] = (this.#retried[why] ?? 0) + 1
      await pause(answer instanceof Error ? 50 : Math.max(50, answer.retryAfterMs))
      answer = await this.#send({ token, method, path, key, fresh: true }, body)
    }
    if (answer instanceof Error || !isFine(answer.status, isRepeat)) {
      const why = answer instanceof Error ? answer.message : `${answer.status} ${answer.body}`
      if (!this.#stopped) this.#failed.push(`${method} ${path}: ${why}${isRepeat ? ', sent twice' : ''}`)
      return undefined
    }
    this.#took.push(performance.now() - startedAt)
    if (!this.#stopped) await pause(THINK_MS)
    return answer
  }

  /** A second attempt takes a connection of its own: the kept ones may be about to be closed like the one that was. */
  #send(
    { token, method, path, key, fresh }: { token: string; method: string; path: string; key: string; fresh: boolean },
    body?: object,
  ): Promise<Answer | Error> {
    const text = body === undefined ? '' : JSON.stringify(body)
    return new Promise((resolve) => {
      const sent = request(
        `${this.#cluster.url}/api/v1${path}`,
        {
          method,
          agent: fresh ? false : this.#agent,
          headers: {
            authorization: `Bearer ${token}`,
            'idempotency-key': key,
            ...(text === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
          },
        },
        (response) => {
          let got = ''
          response.setEncoding('utf8').on('data', (chunk: string) => {
            got += chunk
          })
          response.once('error', resolve)
          response.once('end', () => {
            const retryAfterMs = Number(response.headers['retry-after'] ?? 0) * 1000
            resolve({ status: response.statusCode ?? 0, body: got, retryAfterMs })
          })
        },
      )
      sent.setTimeout(REQUEST_DEADLINE_MS, () => sent.destroy(new Error('no answer')))
      sent.once('error', (error: NodeJS.ErrnoException) => resolve(new Error(error.code ?? error.message)))
      sent.end(text)
    })
  }

  async stop(): Promise<TrafficResult> {
    this.#stopped = true
    running.delete(this)
    await Promise.all(this.#running)
    this.#agent.destroy()
    const sorted = this.#took.toSorted((x, y) => x - y)
    const at = (share: number) => Math.round(sorted[Math.floor(sorted.length * share)] ?? 0)
    return {
      requests: this.#requests,
      retried: this.#retried,
      failed: this.#failed,
      p50: at(0.5),
      p99: at(0.99),
      max: Math.round(sorted.at(-1) ?? 0),
    }
  }
}

const running = new Set<RestTraffic>()

/** For `afterEach`: a test that failed half way asks nothing more. */
export async function stopAllTraffic(): Promise<void> {
  await Promise.all([...running].map((traffic) => traffic.stop()))
}

/** A DELETE whose answer was lost has ended the call: to be told so is what its client wants. */
function isFine(status: number, isRepeat: boolean): boolean {
  return (status >= 200 && status < 300) || (isRepeat && status === 409)
}
