// A thousand calls on two gateways, and ten thousand messages a second among them.
import { makeCalls, type Placement, place } from '../calls.ts'
import { RAW } from '../load/dialects.ts'
import { Load } from '../load/load.ts'
import { beginShares, type CpuSpan } from '../measure/process-shares.ts'
import type { LinePlot } from '../report/line-chart.ts'
import type { Outcome, Trial, TrialStage } from './trial.ts'

const GATEWAYS = 2
/** Of a rate below the target's. */
const BRIEF_MS = 5_000

export const HELD_CALLS: Trial = {
  name: 'held-calls',
  title: 'Calls held under load',
  about: [
    'Answered calls with both peers joined over raw WebSockets on two gateways, and candidates of 283 bytes at a fixed rate between all of them.',
    '"By the edge" has both peers of a call on one gateway, "at random" on any.',
    'Everything, the generator too, shares the machine.',
  ],
  deadlineSeconds: { smoke: 60, short: 120, full: 300 },

  async run(stage) {
    const cluster = await stage.cluster({ gateways: GATEWAYS, edge: false })
    const ports = cluster.description.gateways.map(({ port }) => port)
    const count = stage.pick({ smoke: 20, short: 1000, full: 1000 })
    const outcome: Outcome = { figures: [], shares: [] }
    const stairs: Stair[] = []
    for (const placement of ['affine', 'random'] satisfies Placement[]) {
      stage.say(`  making ${count} calls`)
      const calls = await makeCalls(cluster, count)
      const load = await Load.connect(RAW, place(calls, ports, placement, 1))
      try {
        const at = placement === 'affine' ? 'by the edge' : 'at random'
        await measure(stage, load, { at, stairs, begin: () => beginShares(cluster) }, outcome)
      } finally {
        load.destroy()
      }
    }
    return stage.profile === 'full' ? { ...outcome, plots: [plotOf(stairs)] } : outcome
  },
}

interface Stair {
  at: string
  perSecond: number
  p50: number
  p99: number
}

/** The lower rates first, briefly, so that the page shows from where on a machine is full; then the rate of the target. */
async function measure(
  stage: TrialStage,
  load: Load,
  { at, stairs, begin }: { at: string; stairs: Stair[]; begin: () => () => CpuSpan },
  { figures, shares = [] }: Outcome,
): Promise<void> {
  const target = stage.pick({ smoke: 500, short: 10_000, full: 10_000 })
  await load.open(target, stage.pick({ smoke: 200, short: 3_000, full: 6_000 }), 1, () => {})
  for (const perSecond of stage.pick<number[]>({ smoke: [], short: [], full: [2_500, 5_000, 7_500] })) {
    const { p50, p99 } = await load.open(perSecond, BRIEF_MS, perSecond, () => {})
    stairs.push({ at, perSecond, p50, p99 })
    figures.push({ what: `p99 at ${perSecond.toLocaleString('en-US')}/s, ${at}`, value: p99, unit: ' ms', limit: 50 })
  }
  const ms = stage.pick({ smoke: 1_000, short: 5_000, full: 25_000 })
  let look: (() => CpuSpan) | undefined
  let span: CpuSpan | undefined
  const stop = stage.follow(() => `${at}: ${load.counts.delivered} messages delivered`)
  const window = await load.open(target, ms, 2, (edge) => {
    if (edge === 'begin') look = begin()
    else span = look?.()
  })
  stop()
  const held = load.connections.length / 2
  await load.close()
  const { lost, duplicated, reordered, errors, unacknowledged } = load.counts
  const wrong = lost + duplicated + reordered + errors
  stairs.push({ at, perSecond: target, p50: window.p50, p99: window.p99 })
  const wanted = stage.pick({ smoke: 20, short: 1_000, full: 1_000 })
  figures.push(
    { what: `calls held meanwhile, ${at}`, value: held, unit: '', limit: wanted, atLeast: true, digits: 0 },
    { ...perSecondOf(window), what: `messages delivered a second, ${at}`, limit: target * 0.97, atLeast: true },
    { what: `p50 from sender to receiver, ${at}`, value: window.p50, unit: ' ms' },
    { what: `p99 from sender to receiver, ${at}`, value: window.p99, unit: ' ms', limit: 50 },
    { what: `lost, doubled, reordered, other errors, ${at}`, value: wrong, unit: '', limit: 0, digits: 0 },
    { what: `not acknowledged, ${at}`, value: unacknowledged, unit: '', limit: 0, digits: 0 },
  )
  if (span !== undefined) shares.push(...span.shares.map((share) => ({ ...share, during: at })))
}

function perSecondOf({ delivered, seconds }: { delivered: number; seconds: number }) {
  return { value: delivered / seconds, unit: '/s', digits: 0 }
}

function plotOf(stairs: Stair[]): LinePlot {
  const rates = [...new Set(stairs.map(({ perSecond }) => perSecond))]
  const line = (at: string, share: 'p50' | 'p99') => ({
    name: `${share}, ${at}`,
    dashed: share === 'p50',
    points: stairs.filter((stair) => stair.at === at).map((stair) => ({ x: stair.perSecond, y: stair[share] })),
  })
  const places = [...new Set(stairs.map(({ at }) => at))]
  return {
    key: 'held-calls',
    title: 'From sender to receiver, ms',
    xName: 'messages a second',
    xMarks: rates,
    lines: places.flatMap((at) => [line(at, 'p99'), line(at, 'p50')]),
  }
}
