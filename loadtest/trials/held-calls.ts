// A thousand calls on two gateways, and ten thousand messages a second among them.
import { makeCalls, type Placement, place } from '../calls.ts'
import { RAW } from '../load/dialects.ts'
import { Load } from '../load/load.ts'
import { beginShares, type CpuSpan } from '../measure/process-shares.ts'
import type { Outcome, Trial, TrialStage } from './trial.ts'

const GATEWAYS = 2
const HELD = 'calls held meanwhile'

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
    for (const placement of ['affine', 'random'] satisfies Placement[]) {
      stage.say(`  making ${count} calls`)
      const calls = await makeCalls(cluster, count)
      const load = await Load.connect(RAW, place(calls, ports, placement, 1))
      try {
        await measure(stage, load, placement, outcome, () => beginShares(cluster))
      } finally {
        load.destroy()
      }
    }
    return outcome
  },
}

async function measure(
  stage: TrialStage,
  load: Load,
  placement: Placement,
  { figures, shares = [] }: Outcome,
  begin: () => () => CpuSpan,
): Promise<void> {
  const perSecond = stage.pick({ smoke: 500, short: 10_000, full: 10_000 })
  const ms = stage.pick({ smoke: 1_000, short: 5_000, full: 40_000 })
  const held = load.connections.length / 2
  const at = placement === 'affine' ? 'by the edge' : 'at random'
  await load.open(perSecond, stage.pick({ smoke: 200, short: 3_000, full: 8_000 }), 1, () => {})
  let look: (() => CpuSpan) | undefined
  let span: CpuSpan | undefined
  const stop = stage.follow(() => `${load.counts.delivered} messages delivered`)
  const window = await load.open(perSecond, ms, 2, (edge) => {
    if (edge === 'begin') look = begin()
    else span = look?.()
  })
  stop()
  await load.close()
  const { lost, duplicated, reordered, errors, unacknowledged } = load.counts
  stage.say(`  ${at}: p50 ${window.p50.toFixed(1)} ms, p99 ${window.p99.toFixed(1)} ms`)
  figures.push(
    {
      what: `${HELD}, ${at}`,
      value: held,
      unit: '',
      limit: stage.profile === 'smoke' ? 20 : 1000,
      atLeast: true,
      digits: 0,
    },
    {
      what: `messages delivered a second, ${at}`,
      value: window.delivered / window.seconds,
      unit: '/s',
      limit: perSecond * 0.97,
      atLeast: true,
      digits: 0,
    },
    { what: `p50 from sender to receiver, ${at}`, value: window.p50, unit: ' ms' },
    { what: `p99 from sender to receiver, ${at}`, value: window.p99, unit: ' ms', limit: 50 },
    {
      what: `lost, doubled, reordered, other errors, ${at}`,
      value: lost + duplicated + reordered + errors,
      unit: '',
      limit: 0,
      digits: 0,
    },
    { what: `not acknowledged, ${at}`, value: unacknowledged, unit: '', limit: 0, digits: 0 },
  )
  if (span === undefined) return
  shares.push(...span.shares.map((share) => ({ ...share, during: at })))
}
