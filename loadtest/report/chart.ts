// The plot of a benchmark: what a message costs against the number of nodes, ours and the rivals'.
import type { Results } from '../bench.ts'
import type { Placement } from '../calls.ts'
import type { Cell, SystemKey } from '../systems.ts'
import { figure, totalUs } from './figures.ts'
import { drawLines } from './line-chart.ts'

const NODES = [1, 2, 4, 8]

const LINES: { system: SystemKey; placement: Placement; name: string; color: string; dashed?: boolean }[] = [
  { system: 'socketio-redis', placement: 'random', name: 'Socket.IO + classic adapter', color: '#b3261e' },
  { system: 'ours-socketio', placement: 'random', name: 'ours, Socket.IO, at random', color: '#1f6f43' },
  { system: 'ours-raw', placement: 'random', name: 'ours, raw, at random', color: '#1558b0' },
  { system: 'ours-raw', placement: 'affine', name: 'ours, raw, by the edge', color: '#1558b0', dashed: true },
  { system: 'bare-ws', placement: 'affine', name: 'bare ws, no cluster', color: '#666666', dashed: true },
]

/** CPU for a message at 10,000 messages a second against the number of nodes. */
export function drawChart(results: Results, caption: string): string {
  return drawLines({
    key: 'bench',
    title: 'CPU of servers and Redis per relayed message, µs',
    caption,
    xName: 'gateway nodes',
    xMarks: NODES,
    xScale: 'log2',
    lines: LINES.map(({ name, color, dashed, ...line }) => ({
      name,
      color,
      dashed,
      points: NODES.map((nodes) => ({ x: nodes, y: figure(results, cellOf(line, nodes), 10_000, totalUs) })).filter(
        ({ y }) => !Number.isNaN(y),
      ),
    })),
  })
}

/** With one node there is nothing to place. */
function cellOf(line: { system: SystemKey; placement: Placement }, nodes: number): Cell {
  return { system: line.system, nodes, placement: nodes === 1 ? 'affine' : line.placement }
}
