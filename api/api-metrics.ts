/** What operators see of the API. Labels have few values: a route's pattern, never a path or an id. */
import { Counter, Histogram, type Registry } from 'prom-client'

/** From an indexed read to the contract's slowest target, call initiation below 5 s. */
const DURATION_BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]

export class ApiMetrics {
  readonly #requests: Counter<'method' | 'route' | 'status'>
  readonly #durations: Histogram<'method' | 'route'>
  readonly #limited: Counter<'limit'>

  constructor(registry: Registry) {
    const registers = [registry]
    this.#requests = new Counter({
      name: 'http_requests_total',
      help: 'Requests answered, by route pattern ("unknown" where none matched) and status.',
      labelNames: ['method', 'route', 'status'],
      registers,
    })
    this.#durations = new Histogram({
      name: 'http_request_duration_seconds',
      help: 'From the arrival of a request to the end of its response.',
      labelNames: ['method', 'route'],
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    })
    this.#limited = new Counter({
      name: 'rate_limited_total',
      help: 'Requests refused with RATE_LIMITED, by limit.',
      labelNames: ['limit'],
      registers,
    })
  }

  answered(method: string, route: string, status: number, seconds: number): void {
    this.#requests.inc({ method, route, status })
    this.#durations.observe({ method, route }, seconds)
  }

  limited(limit: string): void {
    this.#limited.inc({ limit })
  }
}
