// What a dashboard says, in the words of whoever reads it; grafana.ts turns it into Grafana's own.

/** How a number is shown. The names are Grafana's. */
export type Unit =
  | 's'
  | 'bytes'
  | 'Bps'
  /** A ratio from 0 to 1, shown in percent. */
  | 'percentunit'
  /** Events a second. */
  | 'ops'
  /** Requests a second. */
  | 'reqps'
  /** A number of things. */
  | 'short'
  /** A number without a unit, to the digit. */
  | 'none'

export interface Query {
  /** PromQL; `$job` and `$instance` are the variables of the dashboard. */
  expr: string
  /** What a line is called, with `{{label}}` for its labels. */
  legend: string
}

/** From a value upwards a colour; below the first one all is well. */
export interface Threshold {
  from: number
  colour: 'green' | 'yellow' | 'orange' | 'red'
}

export interface Panel {
  title: string
  /** What it shows, what is normal, and what a change means. */
  description: string
  unit: Unit
  queries: Query[]
  /** Lines over time unless said otherwise; `stat` is one number each. */
  kind?: 'timeseries' | 'stat' | 'bargauge'
  thresholds?: Threshold[]
  /** The colour below the first threshold; green where it is left out. */
  base?: 'green' | 'red'
  /** The lines are parts of a whole. */
  stacked?: boolean
  max?: number
  /** Of 24 columns; a third where it is left out. */
  width?: number
}

export interface Row {
  title: string
  panels: Panel[]
}

export interface Dashboard {
  /** Of its address and its file. */
  uid: string
  title: string
  description: string
  /** Which jobs `$job` offers; without any the dashboard has neither `$job` nor `$instance`. */
  jobs: string[]
  rows: Row[]
}

/** The quantiles of a histogram as lines: p50, p90 and p99 where nothing else is said. */
export function quantiles(histogram: string, selector: string, by = '', of: number[] = [0.5, 0.9, 0.99]): Query[] {
  const labels = by === '' ? 'le' : `le, ${by}`
  const name = by === '' ? '' : ` {{${by}}}`
  return of.map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (${labels}) (rate(${histogram}_bucket{${selector}}[$__rate_interval])))`,
    legend: `p${quantile * 100}${name}`,
  }))
}

/** The rate of a counter, summed by labels, a line for each of their values. */
export function rate(counter: string, selector: string, ...by: string[]): Query {
  const sum = by.length === 0 ? 'sum' : `sum by (${by.join(', ')})`
  const legend = by.map((label) => `{{${label}}}`).join(' ')
  return { expr: `${sum} (rate(${counter}{${selector}}[$__rate_interval]))`, legend: legend === '' ? 'all' : legend }
}

/** What every query of a dashboard with jobs is narrowed by. */
export const CHOSEN = 'job=~"$job",instance=~"$instance"'
