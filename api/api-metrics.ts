/** What operators see of the API. Labels have few values: a route's pattern, never a path or an id. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** From an indexed read to the contract's slowest target, call initiation below 5 s; each target is a bound. */
const DURATION_BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]

/** What a method is called that HTTP knows and no route of ours does: a client may send any of dozens. */
const OTHER_METHOD = 'other'
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

export class ApiMetrics {
  readonly #requests: Counter<'method' | 'route' | 'status'>
  readonly #durations: Histogram<'method' | 'route' | 'status'>
  readonly #underWay: Gauge
  readonly #errors: Counter<'code'>
  readonly #limited: Counter<'limit'>
  readonly #limitedLocally: Counter<'limit'>

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
      labelNames: ['method', 'route', 'status'],
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    })
    this.#underWay = new Gauge({
      name: 'http_requests_under_way',
      help: 'Requests that have come and are not answered yet.',
      registers,
    })
    this.#errors = new Counter({
      name: 'http_errors_total',
      help: 'Requests refused or failed, by error code of the contract.',
      labelNames: ['code'],
      registers,
    })
    this.#limited = new Counter({
      name: 'rate_limited_total',
      help: 'Requests refused with RATE_LIMITED, by limit.',
      labelNames: ['limit'],
      registers,
    })
    this.#limitedLocally = new Counter({
      name: 'rate_limit_local_checks_total',
      help: 'Requests that this process counted by itself, as Redis did not answer in time.',
      labelNames: ['limit'],
      registers,
    })
  }

  arrived(): void {
    this.#underWay.inc()
  }

  answered(method: string, route: string, status: number, seconds: number): void {
    const labels = { method: METHODS.has(method) ? method : OTHER_METHOD, route, status }
    this.#underWay.dec()
    this.#requests.inc(labels)
    this.#durations.observe(labels, seconds)
  }

  refused(code: string): void {
    this.#errors.inc({ code })
  }

  limited(limit: string): void {
    this.#limited.inc({ limit })
  }

  limitedLocally(limit: string): void {
    this.#limitedLocally.inc({ limit })
  }
}
