/**
 * A histogram for hot paths. The library's own checks and hashes its labels at each observation, 0.3 to 0.5 µs; this one
 * counts in arrays, 40 ns, and is read as any other (docs/metrics.md, "What counting costs").
 */
import type { Histogram, Registry } from 'prom-client'

interface HistogramOptions<Label extends string> {
  name: string
  help: string
  buckets: number[]
  /** One label at most; its values must be few. */
  labelNames?: [Label]
  registry: Registry
}

interface Series {
  /** Not cumulative; the last is what lies above all bounds. */
  counts: Float64Array
  sum: number
}

export class LeanHistogram<Label extends string = never> {
  readonly type = 'histogram'
  readonly name: string
  readonly help: string
  readonly labelNames: Label[]
  readonly #bounds: number[]
  readonly #series = new Map<string, Series>()
  /** That without a label. */
  readonly #only: Series | undefined

  constructor({ name, help, buckets, labelNames, registry }: HistogramOptions<Label>) {
    this.name = name
    this.help = help
    this.labelNames = labelNames ?? []
    this.#bounds = buckets
    if (labelNames === undefined) this.#only = this.#add('')
    // A registry asks a metric for its name, type and `get()` alone.
    registry.registerMetric(this as unknown as Histogram)
  }

  /** Counts a value, in base units. `labelValue` belongs to a histogram with a label. */
  observe(value: number, labelValue = ''): void {
    const series = this.#only ?? this.#series.get(labelValue) ?? this.#add(labelValue)
    const bounds = this.#bounds
    let at = 0
    while (at < bounds.length && value > (bounds[at] as number)) at++
    series.counts[at] = (series.counts[at] as number) + 1
    series.sum += value
  }

  /** What the registry writes out. */
  async get() {
    const { name, help, type } = this
    return {
      name,
      help,
      type,
      aggregator: 'sum',
      values: [...this.#series].flatMap((entry) => this.#valuesOf(...entry)),
    }
  }

  #add(labelValue: string): Series {
    const series = { counts: new Float64Array(this.#bounds.length + 1), sum: 0 }
    this.#series.set(labelValue, series)
    return series
  }

  #valuesOf(labelValue: string, { counts, sum }: Series) {
    const labels = Object.fromEntries(this.labelNames.map((label) => [label, labelValue]))
    let count = 0
    const buckets = [...counts].map((own, at) => {
      count += own
      const le = this.#bounds[at] ?? '+Inf'
      return { metricName: `${this.name}_bucket`, labels: { le, ...labels }, value: count }
    })
    const sums = [
      { metricName: `${this.name}_sum`, labels, value: sum },
      { metricName: `${this.name}_count`, labels, value: count },
    ]
    return [...buckets, ...sums]
  }
}
