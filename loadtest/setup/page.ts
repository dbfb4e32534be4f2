// The run as a page: where and how it was measured, and how long each step took.
import type { Machine } from '../measure/machine.ts'
import { median } from '../report/statistics.ts'
import { STEPS, type Step, type Times } from './timed-call.ts'

export interface Row {
  title: string
  calls: Times[]
  /** Calls that were not connected in time. */
  failed: number
}

export interface SetupFacts {
  date: string
  command: string
  machine: Machine
  seconds: number
  rows: Row[]
  /** Chromium's calls, where they were asked for: milliseconds each. */
  browser: number[]
}

/** The whole page. */
export function renderSetupPage(facts: SetupFacts): string {
  const { date, command, machine, seconds } = facts
  return [
    `# Call set-up of ${date}`,
    '',
    `\`${command}\` at commit ${machine.commit}, ${seconds.toFixed(0)} s.`,
    '[How to read and repeat it](../../docs/performance.md#call-set-up).',
    '',
    `Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, Linux ${machine.kernel}, Node ${machine.node}, Redis ${machine.redis}.`,
    'Postgres, Redis, two gateways, an API, a worker, the edge and both sides of the calls share it.',
    'Loopback, no TLS, no STUN and no TURN.',
    '',
    'One call after the other; the callee waits on a user channel and answers in the moment in which it rings.',
    'The WebRTC stacks are libdatachannel at the caller and werift at the callee, with a data channel; the library is the client of this project.',
    'Times are milliseconds since the press of the button, by one clock; "step" is the median of what a call took for this step alone.',
    '',
    ...renderSetup(facts),
  ].join('\n')
}

/** The tables alone, for a terminal too. */
export function renderSetup({ rows, browser }: Pick<SetupFacts, 'rows' | 'browser'>): string[] {
  const tables = rows.flatMap(({ title, calls, failed }) => [
    `## ${title}: ${calls.length} calls`,
    '',
    ...(failed === 0 ? [] : [`${failed} more were not connected within 10 s.`, '']),
    renderSteps(calls),
    '',
  ])
  if (browser.length === 0) return tables
  return [
    ...tables,
    `## Chromium, video, peers on two gateways: ${browser.length} calls`,
    '',
    'From the press of the button until the media of the caller is connected, camera and microphone included.',
    '',
    table(['p50', 'p90', 'p99'], [[50, 90, 99].map((rank) => percentile(browser, rank).toFixed(0))]),
    '',
  ]
}

function renderSteps(calls: Times[]): string {
  let before: Step | undefined
  const rows = (Object.keys(STEPS) as Step[]).map((step) => {
    const times = calls.map((call) => call[step])
    const alone = calls.map((call) => call[step] - (before === undefined ? 0 : call[before]))
    before = step
    return [STEPS[step], ...[50, 90, 99].map((rank) => percentile(times, rank).toFixed(1)), median(alone).toFixed(1)]
  })
  return table(['', 'p50', 'p90', 'p99', 'step'], rows)
}

/** The value that so many of a hundred do not exceed. */
function percentile(values: number[], rank: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.ceil((rank / 100) * sorted.length) - 1] ?? Number.NaN
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
