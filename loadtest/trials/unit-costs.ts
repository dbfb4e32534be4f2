// What one call and one message cost, on 1, 2, 4 and 8 gateways: CPU by kind of process, commands of Redis. The curve.
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { makeCalls, place } from '../calls.ts'
import { runCallCycle } from '../load/call-cycle.ts'
import { RAW } from '../load/dialects.ts'
import { HttpLoad } from '../load/http-load.ts'
import { createState, Load, seededRandom } from '../load/load.ts'
import { pace } from '../load/pacer.ts'
import { sleep } from '../load/waiting.ts'
import { beginShares, type CpuSpan } from '../measure/process-shares.ts'
import { RedisCommandWatch, type RedisCounts } from '../measure/redis-commands.ts'
import type { Figure, Outcome, Trial, TrialStage } from './trial.ts'
import { newUsers } from './users.ts'

const KINDS = ['gateway', 'redis', 'api', 'postgres', 'worker'] as const
type Kind = (typeof KINDS)[number]

/** What a unit cost, the idle cluster's share taken off. */
interface UnitCost {
  us: Record<Kind, number>
  redis: RedisCounts
}

interface NodeCosts {
  nodes: number
  setUp: UnitCost
  message: UnitCost
}

const CALLS_PER_SECOND = 40
const MESSAGES_PER_SECOND = 4_000
const PAIRS = 200

export const UNIT_COSTS: Trial = {
  name: 'unit-costs',
  title: 'Unit costs by number of gateways',
  about: [
    'A call is initiate, two connections that join, answer, hang-up and the end of both, at 40 calls a second; HTTP goes to the API without the edge, peers connect to any gateway.',
    'A message is a candidate of 283 bytes between peers at random gateways, at 4,000 messages a second over 200 calls, with its ack.',
    'CPU is what the kernel accounted to the processes, less what the same processes take when nothing is asked of them.',
    'Commands are counted by Redis, those inside scripts included.',
  ],
  deadlineSeconds: { smoke: 60, short: 150, full: 400 },

  async run(stage) {
    const rows: NodeCosts[] = []
    for (const nodes of stage.pick({ smoke: [1], short: [1, 4], full: [1, 2, 4, 8] })) {
      const cluster = await stage.cluster({ gateways: nodes, edge: false })
      const row = await measureNodes(stage, cluster, nodes)
      rows.push(row)
      stage.say(
        `  ${nodes} gateways: call ${(total(row.setUp) / 1000).toFixed(2)} ms CPU, ${row.setUp.redis.commands.toFixed(0)} commands; message ${total(row.message).toFixed(0)} µs, ${row.message.redis.commands.toFixed(1)} commands`,
      )
      await stage.stop(cluster)
    }
    return outcomeOf(rows)
  },
}

async function measureNodes(stage: TrialStage, cluster: Cluster, nodes: number): Promise<NodeCosts> {
  const ms = stage.pick({ smoke: 1_000, short: 4_000, full: 12_000 })
  const warmMs = stage.pick({ smoke: 200, short: 1_500, full: 5_000 })
  const watch = new RedisCommandWatch(cluster.description.redis.port)
  const http = new HttpLoad(cluster.api(0).url)
  const ports = cluster.description.gateways.map(({ port }) => port)
  const random = seededRandom(nodes)
  const anyPort = () => ports[Math.floor(random() * ports.length)] ?? 0
  try {
    const users = newUsers(cluster, Math.ceil(((ms + warmMs) / 1000) * CALLS_PER_SECOND * 2.5))
    const state = createState(RAW)
    const cycles = async (durationMs: number) => {
      const under: Promise<unknown>[] = []
      await pace({ ratePerSecond: CALLS_PER_SECOND, ms: durationMs, seed: nodes }, () => {
        const [caller, callee] = [users.pop(), users.pop()]
        if (caller !== undefined && callee !== undefined)
          under.push(runCallCycle(http, state, { caller, callee, ports: [anyPort(), anyPort()] }))
      })
      await Promise.all(under)
      // What an end leaves to be done belongs to it: counting out, publishing, marking.
      await sleep(300)
      return under.length
    }
    await cycles(warmMs)
    const idle = await look(cluster, watch, () => sleep(ms / 2).then(() => 1))
    const setUp = await look(cluster, watch, () => cycles(ms))
    const load = await Load.connect(RAW, place(await makeCalls(cluster, PAIRS), ports, 'random', 1))
    try {
      await load.open(MESSAGES_PER_SECOND, warmMs, 1, () => {})
      const message = await look(
        cluster,
        watch,
        async () => (await load.open(MESSAGES_PER_SECOND, ms, 2, () => {})).delivered,
      )
      await load.close()
      return { nodes, setUp: perUnit(setUp, idle), message: perUnit(message, idle) }
    } finally {
      load.destroy()
    }
  } finally {
    http.close()
    watch.close()
  }
}

interface Look {
  units: number
  span: CpuSpan
  redis: RedisCounts
}

async function look(cluster: Cluster, watch: RedisCommandWatch, work: () => Promise<number>): Promise<Look> {
  const before = await watch.read()
  const end = beginShares(cluster)
  const units = await work()
  const span = end()
  const after = await watch.read()
  const redis = { ...after }
  for (const key of ['commands', 'scripts', 'publishes'] as const) redis[key] -= before[key]
  return { units, span, redis }
}

function perUnit({ units, span, redis }: Look, idle: Look): UnitCost {
  const part = span.ms / idle.span.ms
  const each = (all: number, quiet: number) => Math.max(0, all - quiet * part) / units
  const us = Object.fromEntries(
    KINDS.map((kind) => [kind, each(span.us[kind] ?? 0, idle.span.us[kind] ?? 0)]),
  ) as Record<Kind, number>
  const of = (key: keyof RedisCounts) => each(redis[key], idle.redis[key])
  return { us, redis: { commands: of('commands'), scripts: of('scripts'), publishes: of('publishes') } }
}

function total({ us }: UnitCost): number {
  return KINDS.reduce((sum, kind) => sum + us[kind], 0)
}

function outcomeOf(rows: NodeCosts[]): Outcome {
  const figures = rows.flatMap(({ nodes, setUp, message }): Figure[] => {
    const on = `${nodes} gateway${nodes === 1 ? '' : 's'}`
    return [
      { what: `${on}: a call, CPU`, value: total(setUp) / 1000, unit: ' ms', digits: 2 },
      ...KINDS.map((kind) => ({
        what: `${on}: a call, CPU of ${kind}`,
        value: setUp.us[kind],
        unit: ' µs',
        digits: 0,
      })),
      { what: `${on}: a call, commands of Redis`, value: setUp.redis.commands, unit: '' },
      { what: `${on}: a call, scripts and publishes`, value: setUp.redis.scripts + setUp.redis.publishes, unit: '' },
      { what: `${on}: a message, CPU of gateways`, value: message.us.gateway, unit: ' µs' },
      { what: `${on}: a message, CPU of Redis`, value: message.us.redis, unit: ' µs' },
      { what: `${on}: a message, commands of Redis`, value: message.redis.commands, unit: '', digits: 2 },
      {
        what: `${on}: a message, scripts and publishes`,
        value: message.redis.scripts + message.redis.publishes,
        unit: '',
        digits: 2,
      },
    ]
  })
  const line = (name: string, read: (row: NodeCosts) => number) => ({
    name,
    points: rows.map((row) => ({ x: row.nodes, y: read(row) })),
  })
  const axis = { xName: 'gateway nodes', xMarks: rows.map(({ nodes }) => nodes), xScale: 'log2' as const }
  return {
    figures,
    plots: [
      {
        ...axis,
        key: 'call-cpu',
        title: 'CPU of one call by kind of process, µs',
        lines: [
          line('all', ({ setUp }) => total(setUp)),
          ...KINDS.map((kind) => line(kind, (row) => row.setUp.us[kind])),
        ],
      },
      {
        ...axis,
        key: 'message-cpu',
        title: 'CPU of one message, µs',
        lines: [
          line('gateways and Redis', ({ message }) => message.us.gateway + message.us.redis),
          line('gateways', ({ message }) => message.us.gateway),
          line('Redis', ({ message }) => message.us.redis),
        ],
      },
      {
        ...axis,
        key: 'redis-commands',
        title: 'Commands of Redis',
        lines: [
          line('a call', ({ setUp }) => setUp.redis.commands),
          line('a call: scripts, publishes', ({ setUp }) => setUp.redis.scripts + setUp.redis.publishes),
          line('a message', ({ message }) => message.redis.commands),
          line('a message: scripts, publishes', ({ message }) => message.redis.scripts + message.redis.publishes),
        ],
      },
    ],
  }
}
