/** What the tests ask a Prometheus. */

interface Answer<T> {
  status: 'success' | 'error'
  error?: string
  data: T
}

export interface Series {
  metric: Record<string, string>
  values: [number, string][]
}

export interface RuleState {
  name: string
  type: 'alerting' | 'recording'
  query: string
  health: string
  lastError?: string
}

export class PrometheusClient {
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  /** The values of a query from `fromMs` until now, a step of two seconds apart. @throws where it does not parse */
  async range(query: string, fromMs: number): Promise<Series[]> {
    const times = { start: String(fromMs / 1000), end: String(Date.now() / 1000), step: '2' }
    return (await this.#ask<{ result: Series[] }>('query_range', { query, ...times })).result
  }

  async rules(): Promise<RuleState[]> {
    const { groups } = await this.#ask<{ groups: { rules: RuleState[] }[] }>('rules', {})
    return groups.flatMap(({ rules }) => rules)
  }

  /** Targets by job, and what was wrong with those that could not be read. */
  async targets(): Promise<{ job: string; health: string; error: string }[]> {
    const { activeTargets } = await this.#ask<{
      activeTargets: { labels: { job: string }; health: string; lastError: string }[]
    }>('targets', { state: 'active' })
    return activeTargets.map(({ labels, health, lastError }) => ({ job: labels.job, health, error: lastError }))
  }

  async #ask<T>(what: string, parameters: Record<string, string>): Promise<T> {
    const response = await fetch(`${this.#url}/api/v1/${what}?${new URLSearchParams(parameters)}`)
    const { status, error, data } = (await response.json()) as Answer<T>
    if (status !== 'success') throw new Error(`${parameters.query ?? what}: ${error}`)
    return data
  }
}

/** The last number of a series; undefined where it has none, as where all of them are 0 divided by 0. */
export function lastNumber({ values }: Series): number | undefined {
  return values
    .map(([, value]) => Number(value))
    .filter((value) => Number.isFinite(value))
    .at(-1)
}
