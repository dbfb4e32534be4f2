// What the cluster is to reach beside its rivals in the same run.
import type { Measured, Results } from '../bench.ts'
import type { Cell, SystemKey } from '../systems.ts'
import { figure, type Rate, totalUs } from './figures.ts'
import { median } from './statistics.ts'

const HEAVY = 10_000
const QUIET = 100

interface Target {
  what: string
  /** NaN where this run did not measure it. */
  value: number
  unit: string
  limit: number
  aim?: number
  /** Throughput must be at least the limit; everything else at most. */
  atLeast?: boolean
}

const one = (system: SystemKey): Cell => ({ system, nodes: 1, placement: 'affine' })
const spreadOver = (nodes: number, system: SystemKey): Cell => ({ system, nodes, placement: 'random' })

/** Every target with the run's figure. */
export function readTargets(results: Results): Target[] {
  const at = (cell: Cell, rate: Rate, read: (measured: Measured) => number) => figure(results, cell, rate, read)
  const cost = (cell: Cell) => at(cell, HEAVY, totalUs)
  const most = (cell: Cell) => at(cell, 'saturation', ({ perSecond }) => perSecond)
  const connect = (system: SystemKey) =>
    median((results.connects.get(system) ?? []).map((r) => r.serverUs + r.redisUs + r.postgresUs))
  const memory = (system: SystemKey) => median(results.memory.get(system) ?? [])
  const [ws, classic] = [one('bare-ws'), one('socketio-redis')]
  const x = ' ×'
  const ms = ' ms'
  const kib = ' KiB'
  return [
    {
      what: '1 node, 10,000/s, raw: CPU against bare ws',
      value: cost(one('ours-raw')) / cost(ws),
      unit: x,
      limit: 2.2,
      aim: 1.7,
    },
    {
      what: '1 node, 10,000/s, raw: CPU against the classic adapter',
      value: cost(one('ours-raw')) / cost(classic),
      unit: x,
      limit: 0.45,
      aim: 0.35,
    },
    {
      what: '1 node, 10,000/s, Socket.IO: CPU against bare ws',
      value: cost(one('ours-socketio')) / cost(ws),
      unit: x,
      limit: 2.2,
      aim: 1.7,
    },
    {
      what: '1 node, 10,000/s, Socket.IO: CPU against the classic adapter',
      value: cost(one('ours-socketio')) / cost(classic),
      unit: x,
      limit: 0.45,
      aim: 0.35,
    },
    ...(['ours-raw', 'ours-socketio'] as const).flatMap((system): Target[] => {
      const [ours, theirs] = [spreadOver(4, system), spreadOver(4, 'socketio-redis')]
      const peers = system === 'ours-raw' ? 'raw' : 'Socket.IO'
      return [
        {
          what: `4 nodes at random, 10,000/s, ${peers}: CPU against the classic adapter`,
          value: cost(ours) / cost(theirs),
          unit: x,
          limit: 0.65,
          aim: 0.5,
        },
        {
          what: `4 nodes at random, ${peers}: throughput against the classic adapter`,
          value: most(ours) / most(theirs),
          unit: x,
          limit: 2,
          aim: 2.5,
          atLeast: true,
        },
      ]
    }),
    {
      what: '8 nodes at random, 10,000/s, raw: p99',
      value: at(spreadOver(8, 'ours-raw'), HEAVY, (m) => m.p99),
      unit: ms,
      limit: 15,
      aim: 10,
    },
    {
      what: '1 node, 100/s, raw: p50',
      value: at(one('ours-raw'), QUIET, (m) => m.p50),
      unit: ms,
      limit: 1.5,
      aim: 0.7,
    },
    {
      what: '4 nodes at random, 100/s, raw: p50',
      value: at(spreadOver(4, 'ours-raw'), QUIET, (m) => m.p50),
      unit: ms,
      limit: 1.5,
      aim: 0.7,
    },
    {
      what: 'connect + authenticate + close, raw: CPU against bare ws',
      value: connect('ours-raw') / connect('bare-ws'),
      unit: x,
      limit: 2,
    },
    {
      what: 'connect + authenticate + close, Socket.IO: CPU against plain Socket.IO',
      value: connect('ours-socketio') / connect('socketio'),
      unit: x,
      limit: 1.5,
    },
    { what: 'memory of an idle connection, raw', value: memory('ours-raw'), unit: kib, limit: 12, aim: 10 },
    { what: 'memory of an idle connection, Socket.IO', value: memory('ours-socketio'), unit: kib, limit: 18, aim: 16 },
  ]
}

/** `aim`, `yes`, `no`, or `–` where it was not measured. */
export function verdict({ value, limit, aim, atLeast = false }: Target): string {
  if (Number.isNaN(value)) return '–'
  const reaches = (goal: number) => (atLeast ? value >= goal : value <= goal)
  if (aim !== undefined && reaches(aim)) return 'aim'
  return reaches(limit) ? 'yes' : 'no'
}
