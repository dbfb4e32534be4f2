import { expect } from 'chai'
import { eventually } from '../support/eventually.ts'
import { Bench, backdate, codeOf, pair, type ServiceParts } from './bench.ts'

describe('calls while Postgres is away', () => {
  let bench: Bench
  let parts: ServiceParts
  before(async () => {
    bench = await Bench.start()
    parts = bench.service()
  })
  after(() => bench.stop())

  /** Fills the pool, so that a restart leaves several dead connections in it. */
  const fillPool = () => Promise.all(Array.from({ length: 5 }, () => parts.db.raw('SELECT pg_sleep(0.02)')))

  it('answers SERVICE_UNAVAILABLE, and serves again after its return without a restart of ours', async () => {
    const users = pair()
    const { call } = await parts.calls.initiate(users)
    await fillPool()

    await bench.postgres.pause()
    const codes = await Promise.all([
      codeOf(parts.calls.initiate(pair())),
      codeOf(parts.calls.answer(call.id, users.calleeId, 'phone')),
      codeOf(parts.calls.liveCallOf(users.callerId)),
      codeOf(parts.calls.history(users.callerId, { limit: 1, offset: 0 })),
      codeOf(parts.calls.noteOccupancy([{ callId: call.id, isOccupied: true, version: 1, joined: 1 }])),
      codeOf(parts.calls.deadlines.endUnanswered(10)),
    ])
    await bench.postgres.resume()

    expect(new Set(codes)).to.deep.equal(new Set(['SERVICE_UNAVAILABLE']))
    expect(await parts.calls.answer(call.id, users.calleeId, 'phone')).to.include({ status: 'active' })
  })

  it('notices nothing of a restart between two requests', async () => {
    await fillPool()
    await bench.postgres.pause()
    await bench.postgres.resume()

    const codes = await Promise.all(Array.from({ length: 10 }, () => codeOf(parts.calls.initiate(pair()))))
    expect(new Set(codes)).to.deep.equal(new Set(['resolved']))
  })

  it('gives peers time to come back before it lets an abandoned call go', async () => {
    const users = pair()
    const { call } = await parts.calls.initiate(users)
    await parts.calls.answer(call.id, users.calleeId, 'phone')
    await backdate(parts.db, call.id, 'deadline_at', 120_000)
    await bench.postgres.pause()
    await bench.postgres.resume()

    expect((await parts.calls.liveCallOf(users.callerId))?.id).to.equal(call.id)
    expect(await codeOf(parts.calls.end(call.id, users.callerId, 'user_hangup'))).to.equal('resolved')
  })

  it('loses or doubles nothing that was under way when the server was killed', async () => {
    // The test server does not wait for its log; a commit that may vanish in a crash would make this test lie.
    await parts.db.raw('ALTER DATABASE calling SET synchronous_commit = on')
    parts = bench.service()
    const users = Array.from({ length: 60 }, pair)
    const attempts = users.map(async (each, index) => {
      // Spread over the kill, whose moment no request can choose.
      await new Promise((resolve) => setTimeout(resolve, index * 5))
      return parts.calls.initiate(each).then(
        ({ call }) => call.id,
        (error) => error.code as string,
      )
    })
    await attempts[10]
    await bench.postgres.kill('SIGQUIT')
    const outcomes = await Promise.all(attempts)
    await eventually(() => parts.db.raw('SELECT 1'))

    for (const [index, outcome] of outcomes.entries()) {
      const live = await parts.calls.liveCallOf(users[index]?.callerId as string)
      if (outcome !== 'SERVICE_UNAVAILABLE') expect(live?.id).to.equal(outcome)
    }
    const { rows } = await parts.db.raw(
      `SELECT count(*)::int AS calls, (SELECT count(*)::int FROM live_participants) AS live,
              (SELECT count(DISTINCT call_id)::int FROM outbox WHERE kind = 'call-ringing') AS rung
       FROM calls WHERE ended_at IS NULL`,
    )
    expect(rows[0].live).to.equal(rows[0].calls * 2)
    expect(rows[0].rung).to.be.at.least(rows[0].calls)
  })
})
