import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { HistoryQuery } from '../../core/calls/history-store.ts'
import { Bench, codeOf, type ServiceParts } from './bench.ts'

/** A heavy user's calls among those of others, a call every five minutes. */
const HEAVY = 6_000
const OTHERS = 120_000

describe('call history', () => {
  const heavyUser = randomUUID()
  let bench: Bench
  let parts: ServiceParts
  before(async () => {
    bench = await Bench.start()
    parts = bench.service()
    await parts.db.transaction(async (trx) => {
      // VACUUM marks pages as visible only after their commits are flushed; the test server flushes when it likes.
      await trx.raw('SET LOCAL synchronous_commit = on')
      await trx.raw(
        `INSERT INTO call_participants (user_id, started_at, call_id, role, call_type, status, other_user_id, ended_at,
                                        duration_seconds, end_reason)
         SELECT CASE WHEN n <= :heavy THEN CAST(:heavyUser AS uuid) ELSE gen_random_uuid() END,
                '2024-01-01Z'::timestamptz + n % CAST(:heavy AS int) / 2 * interval '10 minutes', gen_random_uuid(),
                CASE n % 2 WHEN 0 THEN 'caller' ELSE 'callee' END, CASE n % 3 WHEN 0 THEN 'video' ELSE 'voice' END,
                CASE WHEN n % 100 = 0 THEN 'failed' WHEN n % 5 = 0 THEN 'missed' ELSE 'completed' END, gen_random_uuid(),
                '2024-01-01Z'::timestamptz + n % CAST(:heavy AS int) / 2 * interval '10 minutes' + interval '1 minute', 60, 'hangup'
         FROM generate_series(1, CAST(:heavy AS int) + CAST(:others AS int)) AS n`,
        { heavy: HEAVY, others: OTHERS, heavyUser },
      )
    })
    await parts.db.raw('VACUUM ANALYZE call_participants')
  })
  after(() => bench.stop())

  const FILTERS: (Pick<HistoryQuery, 'callType' | 'status'> & { total: number })[] = [
    { total: HEAVY },
    { callType: 'video', total: Math.floor(HEAVY / 3) },
    { status: 'failed', total: HEAVY / 100 },
    { status: 'missed', callType: 'voice', total: 760 },
  ]

  for (const { total, ...filter } of FILTERS)
    it(`pages, counts and filters ${JSON.stringify(filter)} from indexes alone`, async () => {
      const plans: Promise<string>[] = []
      const explain = ({ sql, bindings }: { sql: string; bindings: string[] }) => {
        if (!sql.startsWith('SELECT counted')) return
        const raw = sql.replaceAll(/\$\d+/g, '?')
        plans.push(parts.db.raw(`EXPLAIN (ANALYZE, COSTS OFF) ${raw}`, bindings).then(({ rows }) => planText(rows)))
      }
      parts.db.on('query', explain)
      const deep = await parts.calls.history(heavyUser, { ...filter, limit: 50, offset: total - 50 })
      parts.db.off('query', explain)
      const [plan] = await Promise.all(plans)

      expect(deep.total).to.equal(total)
      expect(deep.entries).to.have.length(50)
      expect(deep.hasMore).to.equal(false)
      expect(plan).to.match(/Index Only Scan using call_participants_counts/)
      expect(plan).to.not.match(/Seq Scan|external|Heap Fetches: [1-9]/)
      // Few rows of a rare status may be quicker fetched one by one; many never are.
      if (total > 500) expect(plan).to.match(/Index Only Scan Backward using call_participants_history/)
    })

  for (const by of ['offset', 'cursor'] as const)
    it(`shows every call once, newest first, when paged by ${by}`, async () => {
      const seen = new Set<string>()
      let newest = Number.POSITIVE_INFINITY
      let query: HistoryQuery | undefined = { limit: 37, offset: 0, status: 'failed' }
      while (query !== undefined) {
        const page = await parts.calls.history(heavyUser, query)
        for (const entry of page.entries) {
          seen.add(entry.callId)
          expect(entry.startedAt.getTime()).to.be.at.most(newest)
          newest = entry.startedAt.getTime()
        }
        expect(page.total).to.equal(HEAVY / 100)
        expect(page.hasMore).to.equal(page.nextCursor !== undefined)
        const next: Partial<HistoryQuery> =
          by === 'cursor' ? { cursor: page.nextCursor } : { offset: query.offset + page.entries.length }
        query = page.hasMore ? { ...query, ...next } : undefined
      }

      expect(seen.size).to.equal(HEAVY / 100)
    })

  it('gives at every offset what paging from the newest gives there, whichever end is nearer', async () => {
    const filter = { callType: 'video', status: 'missed' } as const
    const all: string[] = []
    for (let cursor: string | undefined, more = true; more; ) {
      const page = await parts.calls.history(heavyUser, { ...filter, limit: 200, offset: 0, cursor })
      all.push(...page.entries.map(({ callId }) => callId))
      cursor = page.nextCursor
      more = page.hasMore
    }
    const middle = Math.floor(all.length / 2)
    for (const offset of [1, middle - 20, middle, middle + 1, all.length - 20, all.length - 19, all.length - 1]) {
      const page = await parts.calls.history(heavyUser, { ...filter, limit: 20, offset })

      expect(
        page.entries.map(({ callId }) => callId),
        `offset ${offset}`,
      ).to.deep.equal(all.slice(offset, offset + 20))
      expect(page.hasMore, `offset ${offset}`).to.equal(offset + 20 < all.length)
      expect(page.total).to.equal(all.length)
    }
  })

  it('knows the total beyond the last page, and of a user without calls', async () => {
    const beyond = await parts.calls.history(heavyUser, { limit: 10, offset: HEAVY + 1 })
    const nobody = await parts.calls.history(randomUUID(), { limit: 10, offset: 0 })

    expect(beyond).to.deep.equal({ entries: [], total: HEAVY, hasMore: false })
    expect(nobody).to.deep.equal({ entries: [], total: 0, hasMore: false })
  })

  it('refuses a cursor that is not one of its own', async () => {
    for (const cursor of ['', 'x', Buffer.from('2024-01-01 nonsense').toString('base64url'), '%00'])
      expect(await codeOf(parts.calls.history(heavyUser, { limit: 1, offset: 0, cursor }))).to.equal('INVALID_REQUEST')
  })

  const planText = (rows: { 'QUERY PLAN': string }[]) => rows.map((row) => row['QUERY PLAN']).join('\n')
})
