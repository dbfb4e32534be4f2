// The plot of cost against nodes, as SVG by hand: a few lines, axes, and names at their ends.
import type { Results } from '../bench.ts'
import type { Placement } from '../calls.ts'
import type { Cell, SystemKey } from '../systems.ts'
import { figure, totalUs } from './figures.ts'

const WIDTH = 760
const HEIGHT = 440
const LEFT = 60
const RIGHT = 230
const TOP = 48
const BOTTOM = 52
const NODES = [1, 2, 4, 8]
const TICKS = 5
/** Names at the right end are at least so far apart. */
const NAME_GAP = 16

const LINES: { system: SystemKey; placement: Placement; name: string; color: string; dashed?: boolean }[] = [
  { system: 'socketio-redis', placement: 'random', name: 'Socket.IO + classic adapter', color: '#b3261e' },
  { system: 'ours-socketio', placement: 'random', name: 'ours, Socket.IO, at random', color: '#1f6f43' },
  { system: 'ours-raw', placement: 'random', name: 'ours, raw, at random', color: '#1558b0' },
  { system: 'ours-raw', placement: 'affine', name: 'ours, raw, by the edge', color: '#1558b0', dashed: true },
  { system: 'bare-ws', placement: 'affine', name: 'bare ws, no cluster', color: '#666666', dashed: true },
]

/** CPU for a message at 10,000 messages a second against the number of nodes. */
export function drawChart(results: Results, caption: string): string {
  const lines = LINES.map((line) => ({
    ...line,
    points: NODES.map((nodes) => ({ nodes, us: figure(results, cellOf(line, nodes), 10_000, totalUs) })).filter(
      ({ us }) => !Number.isNaN(us),
    ),
  })).filter(({ points }) => points.length > 0)
  const top = niceTop(Math.max(...lines.flatMap(({ points }) => points.map(({ us }) => us))))
  const x = (nodes: number) => LEFT + (Math.log2(nodes) / Math.log2(NODES.at(-1) ?? 1)) * (WIDTH - LEFT - RIGHT)
  const y = (us: number) => HEIGHT - BOTTOM - (us / top) * (HEIGHT - TOP - BOTTOM)
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="13">`,
    `<title>CPU per relayed message against nodes</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<text x="${LEFT}" y="22" font-size="16" fill="#111111">CPU of servers and Redis per relayed message, µs</text>`,
    `<text x="${LEFT}" y="38" fill="#555555">${caption}</text>`,
  ]
  for (let tick = 0; tick <= TICKS; tick++) {
    const us = (top * tick) / TICKS
    parts.push(`<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(us)}" y2="${y(us)}" stroke="#dddddd"/>`)
    parts.push(`<text x="${LEFT - 8}" y="${y(us) + 4}" text-anchor="end" fill="#555555">${us}</text>`)
  }
  for (const nodes of NODES)
    parts.push(`<text x="${x(nodes)}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle" fill="#555555">${nodes}</text>`)
  parts.push(
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 12}" text-anchor="middle" fill="#555555">gateway nodes</text>`,
  )
  let lastName = Number.NEGATIVE_INFINITY
  for (const { points, name, color, dashed } of lines.toSorted((a, b) => endOf(b.points) - endOf(a.points))) {
    const path = points.map(({ nodes, us }) => `${x(nodes).toFixed(1)},${y(us).toFixed(1)}`).join(' ')
    const dash = dashed ? ' stroke-dasharray="5 4"' : ''
    parts.push(`<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"${dash}/>`)
    for (const { nodes, us } of points)
      parts.push(`<circle cx="${x(nodes).toFixed(1)}" cy="${y(us).toFixed(1)}" r="3.5" fill="${color}"/>`)
    const end = points.at(-1) ?? { nodes: 1, us: 0 }
    lastName = Math.max(y(end.us) + 4, lastName + NAME_GAP)
    parts.push(
      `<text x="${x(end.nodes) + 10}" y="${lastName.toFixed(1)}" fill="${color}">${name} (${end.us.toFixed(0)})</text>`,
    )
  }
  return `${parts.join('\n')}\n</svg>\n`
}

/** With one node there is nothing to place. */
function cellOf(line: { system: SystemKey; placement: Placement }, nodes: number): Cell {
  return { system: line.system, nodes, placement: nodes === 1 ? 'affine' : line.placement }
}

function endOf(points: { us: number }[]): number {
  return points.at(-1)?.us ?? 0
}

/** The axis ends at a multiple that divides into whole ticks. */
function niceTop(most: number): number {
  const step = most > 100 ? 50 : 10
  return Math.max(step, Math.ceil(most / step) * step)
}
