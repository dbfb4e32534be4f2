// HTTP requests at a fixed rate over connections that are kept, and how long each took from the moment it was due.
import { Agent, request } from 'node:http'
import { pace } from './pacer.ts'

export interface HttpCall {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below /api/v1. */
  path: string
  token: string
  body?: object
}

export interface HttpAnswer {
  status: number
  text: string
  ms: number
}

/** Milliseconds over all requests of a window; answers by status, 0 where there was none. */
export interface HttpWindow {
  count: number
  p50: number
  p99: number
  max: number
  statuses: Record<number, number>
}

const TIMEOUT_MS = 10_000
const SOCKETS_MAX = 256

export class HttpLoad {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX })
  readonly #url: URL

  constructor(url: string) {
    this.#url = new URL(url)
  }

  /** Status 0 where no answer came. */
  ask({ method, path, token, body }: HttpCall): Promise<HttpAnswer> {
    const startedAt = performance.now()
    const json = body === undefined ? undefined : JSON.stringify(body)
    const headers = {
      authorization: `Bearer ${token}`,
      ...(json === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) }),
    }
    const { hostname, port } = this.#url
    const options = { agent: this.#agent, hostname, port, method, path: `/api/v1${path}`, headers, timeout: TIMEOUT_MS }
    return new Promise((resolve) => {
      const done = (status: number, text: string) => resolve({ status, text, ms: performance.now() - startedAt })
      const sent = request(options, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk) => {
          text += chunk
        })
        response.on('end', () => done(response.statusCode ?? 0, text))
        response.on('error', (error) => done(0, error.message))
      })
      sent.on('timeout', () => sent.destroy(new Error('no answer in time')))
      sent.on('error', (error) => done(0, error.message))
      sent.end(json)
    })
  }

  /** What a request answered, parsed. @throws where it was refused */
  async must<T>(call: HttpCall): Promise<T> {
    const { status, text } = await this.ask(call)
    if (status < 200 || status > 299) throw new Error(`${call.method} ${call.path} answered ${status}: ${text}`)
    return JSON.parse(text) as T
  }

  /** Starts `next` at a fixed rate, however long the answers take, and waits for all of them. */
  async open(
    rate: { ratePerSecond: number; ms: number; seed: number },
    next: () => HttpCall,
    onAnswer: (call: HttpCall, answer: HttpAnswer) => void = () => {},
  ): Promise<HttpWindow> {
    const answers: Promise<HttpAnswer>[] = []
    await pace(rate, () => {
      const call = next()
      answers.push(
        this.ask(call).then((answer) => {
          onAnswer(call, answer)
          return answer
        }),
      )
    })
    return summarise(await Promise.all(answers))
  }

  close(): void {
    this.#agent.destroy()
  }
}

export function summarise(answers: Pick<HttpAnswer, 'status' | 'ms'>[]): HttpWindow {
  const sorted = answers.map(({ ms }) => ms).sort((a, b) => a - b)
  const statuses: Record<number, number> = {}
  for (const { status } of answers) statuses[status] = (statuses[status] ?? 0) + 1
  return {
    count: answers.length,
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
    max: sorted.at(-1) ?? Number.NaN,
    statuses,
  }
}

/** Of sorted values; NaN without any. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

/** How many answers were no success. */
export function failuresOf({ statuses }: HttpWindow): number {
  return Object.entries(statuses).reduce((sum, [status, count]) => sum + (/^2/.test(status) ? 0 : count), 0)
}
