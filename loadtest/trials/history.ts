// Pages of a long history among millions of calls: any offset, every filter, the exact total.

import { mintToken } from '../../dev/cluster/token-key.ts'
import { HttpLoad, quantile } from '../load/http-load.ts'
import { fillHistory, HEAVY_CALLS, HEAVY_USER, historyFolder, otherUser } from './history-data.ts'
import type { Trial } from './trial.ts'

const PAGE = 50
const TYPES = ['', 'voice', 'video']
const STATUSES = ['', 'completed', 'failed', 'missed']
/** Parts of what the filter lets pass that are skipped; 1 is the last page. */
const DEPTHS = [0, 0.25, 0.5, 0.75, 1]

interface HistoryBody {
  calls: { type: string; status: string; started_at: string }[]
  pagination: { total: number }
}

export const HISTORY: Trial = {
  name: 'history',
  title: 'History',
  about: [
    `Pages of ${PAGE} entries with their exact total, of a user with ${HEAVY_CALLS.toLocaleString('en-US')} calls and of users with some twenty, one request at a time through the edge.`,
    'Every combination of the filters, at five depths from the first page to the last.',
    'The rate limit of history is raised, not left out.',
  ],
  // Writing ten million calls takes most of it, once.
  deadlineSeconds: { smoke: 60, short: 120, full: 1200 },

  async run(stage) {
    const calls = stage.pick({ smoke: 5_000, short: 200_000, full: 10_000_000 })
    const cluster = await stage.cluster({
      gateways: 1,
      runDir: stage.profile === 'smoke' ? undefined : historyFolder(calls),
      env: { RATE_LIMIT_HISTORY_PER_MINUTE: '1000000' },
    })
    await fillHistory(cluster.description.postgres.url, calls, stage.say, stage.signal)
    const http = new HttpLoad(cluster.url)
    const token = (user: string) => mintToken({ secret: cluster.jwtSecret }, { user })
    const ask = async (user: string, bearer: string, query: string) => {
      const { status, text, ms } = await http.ask({
        method: 'GET',
        path: `/calls/user/${user}/history?${query}`,
        token: bearer,
      })
      if (status !== 200) throw new Error(`A history page answered ${status}: ${text}`)
      return { ms, body: JSON.parse(text) as HistoryBody }
    }
    try {
      const rounds = stage.pick({ smoke: 1, short: 4, full: 120 })
      const heavy = token(HEAVY_USER)
      const cells = new Map<string, { ms: number[]; total: number }>()
      let wrong = 0
      const stop = stage.follow(
        () => `round ${Math.max(0, ...[...cells.values()].map(({ ms }) => ms.length))} of ${rounds}`,
      )
      for (let round = -1; round < rounds; round++)
        for (const type of TYPES)
          for (const status of STATUSES)
            for (const depth of DEPTHS) {
              stage.signal.throwIfAborted()
              const filter = `${type && `&call_type=${type}`}${status && `&status=${status}`}`
              const name = `${type || 'any type'}, ${status || 'any status'}, ${depth * 100} % deep`
              const cell = cells.get(name) ?? { ms: [], total: PAGE }
              cells.set(name, cell)
              const offset = Math.max(0, Math.floor((cell.total - PAGE) * depth))
              const { ms, body } = await ask(HEAVY_USER, heavy, `limit=${PAGE}&offset=${offset}${filter}`)
              cell.total = body.pagination.total
              if (!isRight(body, type, status, Math.min(PAGE, cell.total - offset))) wrong += 1
              // The first round learns the totals and warms everything up.
              if (round >= 0) cell.ms.push(ms)
            }
      stop()
      const all = [...cells.values()].flatMap(({ ms }) => ms).sort((a, b) => a - b)
      const slowest = [...cells]
        .map(([name, { ms }]) => ({
          name,
          p99: quantile(
            ms.toSorted((a, b) => a - b),
            0.99,
          ),
        }))
        .sort((a, b) => b.p99 - a.p99)
      const light: number[] = []
      for (let at = 0; at < rounds * 10; at++) {
        const user = otherUser((at * 48_271) % 1_000_000)
        const { ms } = await ask(user, token(user), `limit=${PAGE}`)
        if (at >= 20 || stage.profile === 'smoke') light.push(ms)
      }
      light.sort((a, b) => a - b)
      const total = cells.get('any type, any status, 0 % deep')?.total ?? 0
      const heavyCalls = Math.min(HEAVY_CALLS, calls)
      return {
        figures: [
          { what: 'calls in the history', value: calls, unit: '', digits: 0 },
          {
            what: 'calls of the user, as the page says',
            value: total,
            unit: '',
            limit: heavyCalls,
            atLeast: true,
            digits: 0,
          },
          { what: 'a page, all filters and depths: p50', value: quantile(all, 0.5), unit: ' ms' },
          { what: 'a page, all filters and depths: p99', value: quantile(all, 0.99), unit: ' ms', limit: 30 },
          { what: 'the slowest filter and depth: p99', value: slowest[0]?.p99 ?? Number.NaN, unit: ' ms', limit: 30 },
          { what: 'first page of other users: p99', value: quantile(light, 0.99), unit: ' ms', limit: 30 },
          { what: 'pages with a wrong entry or length', value: wrong, unit: '', limit: 0, digits: 0 },
        ],
        notes: [
          `The slowest: ${slowest
            .slice(0, 3)
            .map(({ name, p99 }) => `${name} (${p99.toFixed(1)} ms)`)
            .join('; ')}.`,
        ],
      }
    } finally {
      http.close()
    }
  },
}

/** The entries are of the filter, newest first, and as many as there must be. */
function isRight({ calls }: HistoryBody, type: string, status: string, length: number): boolean {
  const times = calls.map(({ started_at: at }) => at)
  return (
    calls.length === length &&
    calls.every((call) => (type === '' || call.type === type) && (status === '' || call.status === status)) &&
    times.every((time, index) => index === 0 || time <= (times[index - 1] ?? ''))
  )
}
