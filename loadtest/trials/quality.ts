// Calls with media while the signaling is busy and a gateway dies: what users would hear and see of it.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { makeCalls, place } from '../calls.ts'
import type { BackgroundOrder, BackgroundReport } from '../load/background.ts'
import { sleep } from '../load/waiting.ts'
import { readCpuUs } from '../measure/process-cpu.ts'
import { beginShares } from '../measure/process-shares.ts'
import { median } from '../report/statistics.ts'
import { MediaCall } from './media-call.ts'
import type { Share, Trial } from './trial.ts'

/** Between the end of the calls and that of the load; a set-up may take a second of a busy machine. */
const SPARE_MS = 15_000
const SET_UP_MS = 2_500

export const QUALITY: Trial = {
  name: 'quality',
  title: 'Call quality under load',
  about: [
    'Video calls between users of the client library on WebRTC stacks (werift) that really send: 50 audio packets and 30 video frames of three packets a second each way, over loopback.',
    'The caller is on gateway 1, the callee on gateway 2, while 100 other calls exchange messages on gateways 2 and 3; in the middle gateway 1 is killed with `kill -9`.',
    'The stack has no decoder: a frame counts where all of its packets came, unaltered.',
    "Set-up runs from the caller's wish to the first media at both sides, ringing and answer included, with nobody thinking.",
  ],
  deadlineSeconds: { smoke: 90, short: 120, full: 240 },

  async run(stage) {
    const cluster = await stage.cluster({ gateways: 3, restart: true })
    const calls = stage.pick({ smoke: 1, short: 3, full: 6 })
    const heldMs = stage.pick({ smoke: 2_000, short: 8_000, full: 60_000 })
    const rate = stage.pick({ smoke: 200, short: 2_000, full: 3_000 })
    const background = await startBackground(cluster, rate, calls * SET_UP_MS + heldMs + SPARE_MS)
    const held: MediaCall[] = []
    try {
      for (let at = 0; at < calls; at++) held.push(await MediaCall.start(cluster, [0, 1]))
      stage.say(`  ${calls} calls with media, beside ${rate} messages a second`)
      const look = beginShares(cluster)
      const before = readCpuUs(background.pid)
      await sleep(heldMs / 2)
      const { shares, ms } = look()
      const beside = (readCpuUs(background.pid) - before) / 1000 / ms
      await cluster.kill('gateway-1', 'SIGKILL')
      stage.say('  gateway-1 is killed')
      await sleep(heldMs / 2)
      const receptions = (await Promise.all(held.map((call) => call.end()))).flat()
      const sum = (read: (one: (typeof receptions)[number]) => number) =>
        receptions.reduce((all, one) => all + read(one), 0)
      const setUps = held.map(({ setUpMs }) => setUpMs)
      const others = await background.finished()
      return {
        figures: [
          { what: 'calls with media', value: calls, unit: '', digits: 0 },
          { what: 'set-up to first media: median', value: median(setUps), unit: ' ms', digits: 0 },
          { what: 'set-up to first media: longest', value: Math.max(...setUps), unit: ' ms', limit: 5_000, digits: 0 },
          { what: 'media packets sent', value: sum((one) => one.packetsSent), unit: '', digits: 0 },
          {
            what: 'media packets lost',
            value: sum((one) => one.packetsSent - one.packetsReceived),
            unit: '',
            limit: 0,
            digits: 0,
          },
          { what: 'video frames sent', value: sum((one) => one.framesSent), unit: '', digits: 0 },
          {
            what: 'video frames not complete',
            value: sum((one) => one.framesSent - one.framesComplete),
            unit: '',
            limit: 0,
            digits: 0,
          },
          {
            what: 'longest time without any packet',
            value: Math.max(...receptions.map((one) => one.longestGapMs)),
            unit: ' ms',
            digits: 0,
          },
          {
            what: 'calls hung up over the resumed signaling',
            value: held.length,
            unit: '',
            limit: calls,
            atLeast: true,
            digits: 0,
          },
          { what: 'signaling beside it: messages a second', value: rate, unit: '/s', digits: 0 },
          { what: 'signaling beside it: p99', value: others.p99, unit: ' ms', limit: 200 },
          {
            what: 'signaling beside it: lost, doubled, reordered, errors',
            value: others.lost + others.errors,
            unit: '',
            limit: 0,
            digits: 0,
          },
        ],
        shares: [
          ...shares.map((share) => renamed(share, beside)),
          { process: 'generator of the load beside', cores: beside },
        ],
      }
    } finally {
      background.stop()
    }
  },
}

/** The load beside is a process of ours: it is none of the others, and this process is the stacks. */
function renamed({ process, cores }: Share, beside: number): Share {
  if (process === 'others') return { process, cores: Math.max(0, cores - beside) }
  return { process: process === 'generator' ? 'WebRTC stacks' : process, cores }
}

type Finished = Extract<BackgroundReport, { ready: false }>

/** Messages among other calls, on the gateways that live on. */
async function startBackground(cluster: Cluster, ratePerSecond: number, ms: number) {
  const ports = cluster.description.gateways.slice(1).map(({ port }) => port)
  const pairs = place(await makeCalls(cluster, 100), ports, 'random', 1)
  const child = fork(join(import.meta.dirname, '..', 'load', 'background.ts'), { execArgv: ['--import', 'tsx'] })
  child.send({ pairs, ratePerSecond, ms } satisfies BackgroundOrder)
  await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => {
      throw new Error('The load beside it did not start')
    }),
  ])
  const last = once(child, 'message') as Promise<[Finished]>
  return { pid: child.pid ?? 0, finished: async () => (await last)[0], stop: () => void child.kill('SIGKILL') }
}
