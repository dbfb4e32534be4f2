// Whether memory grows with work: what each kind of process holds after garbage collection, again and again under work.
import { Client } from 'pg'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { makeCalls, place } from '../calls.ts'
import { Connection } from '../load/connection.ts'
import { RAW } from '../load/dialects.ts'
import { HttpLoad } from '../load/http-load.ts'
import { createState, Load, type Pair } from '../load/load.ts'
import { COLLECTS_GARBAGE, readSettledRssKib } from '../measure/settled-memory.ts'
import { endCalls, expireRings, useApi } from './memory-work.ts'
import type { Figure, Outcome, Trial, TrialStage } from './trial.ts'

const HELD_CALLS = 1000
/** 100 MB, as the contract says it. */
const LIMIT_MIB = 1e8 / 2 ** 20
/** Growth over the second half below this is none: heaps breathe by some percent from one look to the next. */
const FLAT_PERCENT = 5
const CONNECTING_AT_ONCE = 48

export const MEMORY: Trial = {
  name: 'memory',
  title: 'Memory',
  about: [
    'A gateway, an API and a worker; resident memory after garbage collection, looked at again and again while the work is done.',
    'Growth is the slope of a line through the second half of the looks, over that half, as a part of its mean.',
    'Gateway: messages among 1,000 calls, then connections that join, say goodbye and come again.',
    'API: calls made, answered, looked at and ended, presence, history; worker: rings that expire and their events.',
  ],
  deadlineSeconds: { smoke: 60, short: 200, full: 900 },

  async run(stage) {
    const cluster = await stage.cluster({
      gateways: 2,
      edge: false,
      env: COLLECTS_GARBAGE,
      envFor: (role, index): Record<string, string> => (role === 'gateway' && index === 1 ? SMALL : {}),
    })
    const outcome: Outcome = { figures: [], plots: [] }
    const lines: Line[] = []
    await holdSmall(stage, cluster, outcome.figures)
    await holdAndExchange(stage, cluster, outcome.figures, lines)
    await cycleConnections(stage, cluster, outcome.figures, lines)
    await workApi(stage, cluster, outcome.figures, lines)
    await workWorker(stage, cluster, outcome.figures, lines)
    outcome.plots?.push({
      key: 'memory',
      title: 'Resident memory after garbage collection, MiB',
      xName: 'part of the work that is done, %',
      xMarks: [0, 25, 50, 75, 100],
      lines,
    })
    return outcome
  },
}

interface Line {
  name: string
  points: { x: number; y: number }[]
}

/** As docs/operations.md says for where memory is scarce ("Memory of a gateway"). */
const SMALL = {
  NODE_OPTIONS: `${COLLECTS_GARBAGE.NODE_OPTIONS} --max-semi-space-size=2`,
  MALLOC_ARENA_MAX: '1',
}

async function holdSmall(stage: TrialStage, cluster: Cluster, figures: Figure[]): Promise<void> {
  const { port, pid } = cluster.gateway(1)
  const calls = stage.pick({ smoke: 20, short: HELD_CALLS, full: HELD_CALLS })
  const load = await Load.connect(RAW, place(await makeCalls(cluster, calls), [port], 'affine', 1))
  const held = (await readSettledRssKib(Number(pid), settleMs(stage))) / 1024
  await load.close()
  figures.push({ what: `gateway started small, ${2 * calls} connections`, value: held, unit: ' MiB', limit: LIMIT_MIB })
  stage.say(`  gateway started small: ${held.toFixed(0)} MiB`)
}

/** The calls first: 2,000 connections alone, then under messages. */
async function holdAndExchange(stage: TrialStage, cluster: Cluster, figures: Figure[], lines: Line[]): Promise<void> {
  const gateway = cluster.gateway(0)
  const calls = stage.pick({ smoke: 20, short: HELD_CALLS, full: HELD_CALLS })
  const messages = stage.pick({ smoke: 2_000, short: 60_000, full: 1_000_000 })
  const load = await Load.connect(RAW, place(await makeCalls(cluster, calls), [gateway.port], 'affine', 1))
  try {
    const held = (await readSettledRssKib(Number(gateway.pid), settleMs(stage))) / 1024
    figures.push({
      what: `gateway with ${2 * calls} connections of ${calls} calls`,
      value: held,
      unit: ' MiB',
      limit: LIMIT_MIB,
    })
    stage.say(`  gateway with ${2 * calls} connections: ${held.toFixed(0)} MiB`)
    const before = load.counts.delivered
    const done = () => load.counts.delivered - before
    await watch(stage, { what: 'gateway, messages', pid: Number(gateway.pid), figures, lines }, async (part) => {
      // A handful under way at a time: as fast as it goes, without a crowd that itself takes memory.
      while (done() < messages * part) await load.closed(500, () => {}, CLOSED_LOOP)
    })
    figures.push({
      what: 'gateway: messages relayed',
      value: done(),
      unit: '',
      limit: messages,
      atLeast: true,
      digits: 0,
    })
    await load.close()
    figures.push({ what: 'gateway: messages lost', value: load.counts.lost, unit: '', limit: 0, digits: 0 })
  } finally {
    load.destroy()
  }
}

/** Connections with a message under way at a time. */
const CLOSED_LOOP = 400

async function cycleConnections(stage: TrialStage, cluster: Cluster, figures: Figure[], lines: Line[]): Promise<void> {
  const gateway = cluster.gateway(0)
  const cycles = stage.pick({ smoke: 200, short: 3_000, full: 50_000 })
  const calls: Pair[] = place(
    await makeCalls(cluster, stage.pick({ smoke: 20, short: 200, full: 200 })),
    [gateway.port],
    'affine',
    2,
  )
  const state = createState(RAW)
  // Callers stay, callees come and go: a call without anybody is over after a minute.
  const callers = calls.map(([caller]) => new Connection(caller, state))
  await Promise.all(callers.map((caller) => caller.reached('joined')))
  const parties = calls.map(([, callee]) => callee)
  let begun = 0
  const one = async () => {
    const party = parties[begun++ % parties.length]
    if (party === undefined) return
    const connection = new Connection(party, state)
    await connection.reached('joined')
    connection.close()
    await connection.reached('closed')
  }
  await watch(stage, { what: 'gateway, connections', pid: Number(gateway.pid), figures, lines }, async (part) => {
    const worker = async () => {
      while (begun < cycles * part && !stage.signal.aborted) await one()
    }
    await Promise.all(Array.from({ length: CONNECTING_AT_ONCE }, worker))
  })
  for (const caller of callers) caller.destroy()
  figures.push({
    what: 'gateway: connections made and ended',
    value: begun,
    unit: '',
    limit: cycles,
    atLeast: true,
    digits: 0,
  })
}

async function workApi(stage: TrialStage, cluster: Cluster, figures: Figure[], lines: Line[]): Promise<void> {
  const http = new HttpLoad(cluster.api(0).url)
  const requests = stage.pick({ smoke: 200, short: 2_000, full: 40_000 })
  let done = 0
  try {
    await watch(stage, { what: 'API', pid: Number(cluster.api(0).pid), figures, lines }, async (part) => {
      while (done < requests * part && !stage.signal.aborted) done += await useApi(http, cluster)
    })
  } finally {
    http.close()
  }
  figures.push({ what: 'API: requests', value: done, unit: '', limit: requests, atLeast: true, digits: 0 })
}

async function workWorker(stage: TrialStage, cluster: Cluster, figures: Figure[], lines: Line[]): Promise<void> {
  const client = new Client({ connectionString: cluster.description.postgres.url })
  await client.connect()
  const rings = stage.pick({ smoke: 200, short: 3_000, full: 50_000 })
  let done = 0
  try {
    await endCalls(client)
    await watch(stage, { what: 'worker', pid: Number(cluster.worker(0).pid), figures, lines }, async (part) => {
      const count = Math.ceil(rings * part) - done
      await expireRings(client, count, stage.signal)
      done += count
    })
  } finally {
    await client.end()
  }
  figures.push({ what: 'worker: calls ended', value: done, unit: '', limit: rings, atLeast: true, digits: 0 })
}

/** Has the work done in parts, and looks at a process' memory after each. */
async function watch(
  stage: TrialStage,
  { what, pid, figures, lines }: { what: string; pid: number; figures: Figure[]; lines: Line[] },
  work: (part: number) => Promise<void>,
): Promise<void> {
  const points: Line['points'] = []
  const looks = stage.pick({ smoke: 4, short: 6, full: 10 })
  for (let look = 1; look <= looks; look++) {
    await work(look / looks)
    stage.signal.throwIfAborted()
    points.push({ x: (look / looks) * 100, y: (await readSettledRssKib(pid, settleMs(stage))) / 1024 })
    stage.say(`  ${what}: ${((look / looks) * 100).toFixed(0)} %, ${points.at(-1)?.y.toFixed(1)} MiB`)
  }
  const half = points.slice(looks / 2)
  figures.push({ what: `${what}: memory at the end`, value: points.at(-1)?.y ?? Number.NaN, unit: ' MiB' })
  const growth: Figure = { what: `${what}: growth over the second half`, value: growthPercent(half), unit: ' %' }
  // A few seconds of work fill caches: only the full length says whether it ends.
  figures.push(stage.profile === 'full' ? { ...growth, limit: FLAT_PERCENT } : growth)
  lines.push({ name: what, points })
}

function settleMs(stage: TrialStage): number {
  return stage.pick({ smoke: 20, short: 200, full: 400 })
}

/** Of a line by least squares: its rise over all points as a part of their mean. */
function growthPercent(points: Line['points']): number {
  const mean = (read: (point: { x: number; y: number }) => number) =>
    points.reduce((sum, point) => sum + read(point), 0) / points.length
  const [mx, my] = [mean(({ x }) => x), mean(({ y }) => y)]
  const slope = mean(({ x, y }) => (x - mx) * (y - my)) / mean(({ x }) => (x - mx) ** 2)
  return ((slope * ((points.at(-1)?.x ?? 0) - (points[0]?.x ?? 0))) / my) * 100
}
