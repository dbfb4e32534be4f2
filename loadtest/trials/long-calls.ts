// Calls that last: past every lease, renewal and expiry of what keeps them in Redis, with a word now and then.
import { Client } from 'pg'
import { makeCalls, place } from '../calls.ts'
import { RAW } from '../load/dialects.ts'
import { Load } from '../load/load.ts'
import { beginShares } from '../measure/process-shares.ts'
import { COLLECTS_GARBAGE, readSettledRssKib } from '../measure/settled-memory.ts'
import type { Trial } from './trial.ts'

/** A renegotiation, a change of network: a message of each peer in so many seconds. */
const MESSAGE_EVERY_SECONDS = 20

export const LONG_CALLS: Trial = {
  name: 'long-calls',
  title: 'Long calls',
  about: [
    'Answered calls on two gateways that stay, each peer sending a message every 20 s; pings every 10 s.',
    'At full length they outlast every expiry of their keys in Redis (two minutes for a log, five for a room).',
    'Memory is of both gateways after garbage collection, at the beginning and at the end.',
  ],
  deadlineSeconds: { smoke: 60, short: 90, full: 560 },

  async run(stage) {
    const cluster = await stage.cluster({ gateways: 2, edge: false, env: COLLECTS_GARBAGE })
    const gateways = [cluster.gateway(0), cluster.gateway(1)]
    const count = stage.pick({ smoke: 10, short: 200, full: 1000 })
    const seconds = stage.pick({ smoke: 2, short: 12, full: 330 })
    const calls = await makeCalls(cluster, count)
    const load = await Load.connect(
      RAW,
      place(
        calls,
        gateways.map(({ port }) => port),
        'random',
        1,
      ),
    )
    const client = new Client({ connectionString: cluster.description.postgres.url })
    await client.connect()
    try {
      const settle = stage.pick({ smoke: 20, short: 500, full: 1_000 })
      const read = async () =>
        (await Promise.all(gateways.map(({ pid }) => readSettledRssKib(Number(pid), settle)))).map((kib) => kib / 1024)
      const before = await read()
      const look = beginShares(cluster)
      const begun = performance.now()
      const stop = stage.follow(() => `${((performance.now() - begun) / 1000).toFixed(0)} of ${seconds} s`, 15_000)
      const rate = Math.max(10, (2 * count) / MESSAGE_EVERY_SECONDS)
      const window = await load.open(rate, seconds * 1000, 1, () => {})
      stop()
      const { shares } = look()
      const after = await read()
      const { rows } = await client.query<{ active: number }>(
        `SELECT count(*)::int AS active FROM calls WHERE id = ANY ($1) AND status = 'active' AND peers_gone_since IS NULL`,
        [calls.map(([{ callId }]) => callId)],
      )
      await load.close()
      const { lost, duplicated, reordered, errors } = load.counts
      return {
        figures: [
          {
            what: `calls still active and joined after ${seconds} s`,
            value: rows[0]?.active ?? 0,
            unit: '',
            limit: count,
            atLeast: true,
            digits: 0,
          },
          { what: 'connections lost, errors', value: errors, unit: '', limit: 0, digits: 0 },
          {
            what: 'messages lost, doubled, reordered',
            value: lost + duplicated + reordered,
            unit: '',
            limit: 0,
            digits: 0,
          },
          { what: 'p99 from sender to receiver', value: window.p99, unit: ' ms', limit: 200 },
          { what: 'memory of a gateway at the end', value: Math.max(...after), unit: ' MiB', limit: 1e8 / 2 ** 20 },
          { what: 'its growth', value: Math.max(...after.map((mib, at) => mib - (before[at] ?? 0))), unit: ' MiB' },
        ],
        shares,
      }
    } finally {
      load.destroy()
      await client.end()
    }
  },
}
