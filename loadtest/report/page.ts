// A run as a page: where and how it was measured, tables of medians with their spreads, and the targets.
import type { CellResult, Results, Settings } from '../bench.ts'
import { MESSAGE_BYTES } from '../load/dialects.ts'
import type { Machine } from '../measure/machine.ts'
import { type Cell, SYSTEMS, type SystemKey } from '../systems.ts'
import { figure, figures, type Rate, totalUs } from './figures.ts'
import { median, spread } from './statistics.ts'
import { readTargets, verdict } from './targets.ts'

export interface RunFacts {
  date: string
  command: string
  machine: Machine
  minutes: number
  settings: Settings
  /** The chart's file beside the page. */
  chart: string
}

/** The whole page. */
export function renderPage(results: Results, facts: RunFacts): string {
  const { machine, settings, date, command, minutes } = facts
  const rates = settings.rates.map(({ perSecond, ms }) => `${perSecond}/s for ${ms / 1000} s`).join(', ')
  return [
    `# Benchmark of ${date}`,
    '',
    `\`${command}\` at commit ${machine.commit}, ${minutes.toFixed(0)} minutes. [How to read and repeat it](../../docs/performance.md).`,
    '',
    `Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, Linux ${machine.kernel}, Node ${machine.node}, Redis ${machine.redis}`,
    'without persistence.',
    'Servers, Redis, Postgres and the generator share it.',
    'Loopback, no TLS.',
    '',
    `${settings.rounds} rounds, ours and rivals in turns, every second round in reverse; medians, the rounds' range in brackets.`,
    `${settings.pairs} calls with two peers each; a message has ${MESSAGE_BYTES} bytes.`,
    `Warm-up ${settings.warmUpMs / 1000} s, then ${rates},`,
    `then saturation (one message of each peer under way) for ${settings.saturationMs / 1000} s.`,
    'CPU is what the kernel accounted to all gateway or rival processes and their Redis, by messages delivered.',
    'Latency: from the write at the sender to the read at its peer.',
    '',
    ...disturbance(results),
    '## Targets',
    '',
    renderTargets(results),
    '',
    '## Cost and speed',
    '',
    `![CPU per message against nodes](${facts.chart})`,
    '',
    renderLoad(results, settings),
    '',
    '## What arrived',
    '',
    renderOrder(results),
    '',
    ...(results.memory.size === 0 ? [] : ['## Connections', '', renderConnections(results, settings), '']),
  ].join('\n')
}

/** The tables alone, for a terminal. */
export function renderTables(results: Results, settings: Settings): string {
  return [
    ...disturbance(results),
    renderTargets(results),
    '',
    renderLoad(results, settings),
    '',
    renderOrder(results),
  ].join('\n')
}

function renderTargets(results: Results): string {
  const rows = readTargets(results)
    .filter(({ value }) => !Number.isNaN(value))
    .map((target) => {
      const { what, value, unit, limit, aim, atLeast } = target
      const sign = atLeast ? '≥' : '≤'
      return [
        what,
        value.toFixed(2) + unit,
        sign + limit + unit,
        aim === undefined ? '' : sign + aim + unit,
        verdict(target),
      ]
    })
  return table(['', 'this run', 'at least', 'aim', 'reached'], rows)
}

/** The cells in the order of the plan. */
function cellsOf(settings: Settings): Cell[] {
  return settings.blocks.flat()
}

function renderLoad(results: Results, settings: Settings): string {
  const rates = settings.rates.map(({ perSecond }) => perSecond)
  const head = ['system', 'nodes', 'peers of a call']
  for (const rate of rates) head.push(`${rate}/s: CPU µs`, 'of it Redis', 'p50 ms', 'p99 ms')
  head.push('saturation msg/s', 'CPU µs')
  const rows = cellsOf(settings).map((cell) => {
    const at = (rate: Rate, read: Parameters<typeof figure>[3]) => figure(results, cell, rate, read)
    const row = [SYSTEMS[cell.system].title, String(cell.nodes), placementOf(cell)]
    for (const rate of rates)
      row.push(
        `${at(rate, totalUs).toFixed(1)} (${spread(figures(results, cell, rate, totalUs), 0)})`,
        at(rate, (m) => m.redisUs).toFixed(1),
        at(rate, (m) => m.p50).toFixed(2),
        at(rate, (m) => m.p99).toFixed(1),
      )
    const most = figures(results, cell, 'saturation', (m) => m.perSecond)
    row.push(`${median(most).toFixed(0)} (${spread(most, 0)})`, at('saturation', totalUs).toFixed(1))
    return row
  })
  return table(head, rows)
}

function placementOf(cell: Cell): string {
  if (cell.nodes === 1) return 'one node'
  return cell.placement === 'affine' ? 'on one node' : 'at random'
}

function renderOrder(results: Results): string {
  const sum = (list: CellResult[], read: (result: CellResult) => number) =>
    String(list.reduce((total, result) => total + read(result), 0))
  const rows = [...results.cells].map(([name, list]) => [
    name,
    sum(list, (r) => r.lost),
    sum(list, (r) => r.duplicated),
    sum(list, (r) => r.reordered),
    sum(list, (r) => r.unacknowledged),
    sum(list, (r) => r.refused),
    sum(list, (r) => r.errors),
    background(list),
    generator(list),
    others(list),
  ])
  const head = [
    'cell',
    'lost',
    'doubled',
    'reordered',
    'not acked',
    'refused with an error',
    'other errors',
    'API, worker, Postgres: ms CPU a second',
    'generator µs',
    'others, cores at most',
  ]
  return table(head, rows)
}

function background(list: CellResult[]): string {
  return median(list.flatMap((result) => [...result.windows.values()].map((window) => window.backgroundMs))).toFixed(1)
}

/** At the first rate of the plan, the one the targets are about. */
function generator(list: CellResult[]): string {
  return median(
    list.flatMap((result) => [...result.windows.values()].slice(0, 1).map((window) => window.generatorUs)),
  ).toFixed(1)
}

/** More than so much of a core in other hands, in the median window, and the figures are not to be quoted. */
const DISTURBED_CORES = 0.2

function disturbance(results: Results): string[] {
  const all = [...results.cells.values()].flat().flatMap((result) => [...result.windows.values()])
  const cores = median(all.map((window) => window.othersCores))
  if (!(cores > DISTURBED_CORES)) return []
  return [
    `**Other programs used ${cores.toFixed(1)} cores of this machine meanwhile: no figure here is to be quoted.**`,
    '',
  ]
}

/** The most in any round: a figure beside a busy neighbour says little. */
function others(list: CellResult[]): string {
  return Math.max(
    0,
    ...list.flatMap((result) => [...result.windows.values()].map((window) => window.othersCores)),
  ).toFixed(2)
}

function renderConnections(results: Results, settings: Settings): string {
  const rows = [...results.memory].map(([system, kib]) => {
    const connects = results.connects.get(system as SystemKey) ?? []
    const total = connects.map((one) => one.serverUs + one.redisUs + one.postgresUs)
    return [
      SYSTEMS[system].title,
      `${median(kib).toFixed(1)} (${spread(kib, 1)})`,
      `${median(total).toFixed(0)} (${spread(total, 0)})`,
      median(connects.map((one) => one.serverUs)).toFixed(0),
      median(connects.map((one) => one.redisUs)).toFixed(0),
      median(connects.map((one) => one.postgresUs)).toFixed(0),
      median(connects.map((one) => one.perSecond)).toFixed(0),
    ]
  })
  const head = [
    'system',
    'KiB for an idle connection',
    'connect + close, CPU µs',
    'server',
    'Redis',
    'Postgres',
    'connects/s',
  ]
  return `${table(head, rows)}\n\nMemory: growth of resident memory by ${settings.idleConnections} joined connections, after garbage collection.\nRivals let in anybody; ours check token, call and limits.`
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
