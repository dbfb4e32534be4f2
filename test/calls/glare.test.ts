import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { Bench, backdate, codeOf, pair, type ServiceParts, TRIALS } from './bench.ts'

describe('two users who call each other at once', () => {
  let bench: Bench
  let processes: ServiceParts[]
  before(async () => {
    bench = await Bench.start({ databaseTimeout: '60' })
    processes = Array.from({ length: 4 }, () => bench.service({ poolMax: 8 }))
  })
  after(() => bench.stop())

  const process = (index: number) => processes[index % processes.length] as ServiceParts
  const merge = { deviceId: 'phone' }
  const couple = () => {
    const { callerId: one, calleeId: other } = pair()
    return {
      one,
      other,
      first: { callerId: one, calleeId: other, type: 'video' as const },
      later: { callerId: other, calleeId: one, type: 'voice' as const },
    }
  }
  const rowsOf = async (sql: string, bindings: string[]) => (await process(0).db.raw(sql, bindings)).rows

  it('have one call where the later one merges: it is answered, by his device, and keeps its type', async () => {
    const { first, later, one, other } = couple()
    const { call } = await process(0).calls.initiate(first)

    const merged = await process(1).calls.initiate({ ...later, merge })

    expect(merged).to.include({ merged: true, replayed: false })
    expect(merged.call).to.include({
      id: call.id,
      status: 'active',
      type: 'video',
      callerId: one,
      calleeId: other,
      answeredByDevice: 'phone',
      version: 2,
    })
    expect(await process(2).calls.shareContact(one, other)).to.equal(true)
    await process(1).calls.outbox.close()
    expect(
      process(1)
        .publisher.of(call.id)
        .map(({ payload }) => payload.message)[0],
    ).to.include({
      type: 'call-status',
      status: 'active',
      answered_by_device: 'phone',
    })
    expect(await process(1).registry.getSingleMetric('calls_merged_total')?.get()).to.have.nested.property(
      'values[0].value',
      1,
    )
  })

  it('are refused where nobody merges, or the earlier one alone would have', async () => {
    const { first, later } = couple()
    await process(0).calls.initiate({ ...first, merge })
    expect(await codeOf(process(1).calls.initiate(later))).to.equal('USER_ALREADY_IN_CALL')
  })

  it('merge with nobody else: not with an own call, not with that of a third user, not with one to a third user', async () => {
    const { first, later, one, other } = couple()
    const [third] = [randomUUID()]
    await process(0).calls.initiate(first)
    expect(await codeOf(process(1).calls.initiate({ ...first, merge }))).to.equal('USER_ALREADY_IN_CALL')
    expect(await codeOf(process(1).calls.initiate({ ...later, callerId: third, merge }))).to.equal(
      'USER_ALREADY_IN_CALL',
    )
    const asThird = { ...later, callerId: other, calleeId: third, merge }
    expect(await codeOf(process(1).calls.initiate(asThird))).to.equal('USER_ALREADY_IN_CALL')
    expect((await process(2).calls.liveCallOf(one))?.status).to.equal('connecting')
  })

  it('may send it again: the device that merged gets the same, another one is refused', async () => {
    const { first, later } = couple()
    const { call } = await process(0).calls.initiate(first)
    await process(1).calls.initiate({ ...later, merge })

    expect(await process(2).calls.initiate({ ...later, merge })).to.deep.include({ merged: true, replayed: false })
    for (const deviceId of ['tablet', undefined])
      expect(await codeOf(process(2).calls.initiate({ ...later, merge: { deviceId } }))).to.equal(
        'USER_ALREADY_IN_CALL',
      )
    expect((await process(0).calls.require(call.id)).version).to.equal(2)
  })

  it('get the kept answer for the same key, also long after, and CONFLICT for another body', async () => {
    const { first, later, other } = couple()
    const idempotency = { userId: other, key: 'key', bodyHash: 'body' }
    const { call } = await process(0).calls.initiate(first)

    const twins = await Promise.all(
      Array.from({ length: 8 }, (_, index) => process(index).calls.initiate({ ...later, merge, idempotency })),
    )
    await process(0).calls.end(call.id, other, 'user_hangup')

    expect(twins.filter(({ replayed }) => !replayed)).to.have.length(1)
    for (const twin of twins) expect([twin.merged, twin.call.id]).to.deep.equal([true, call.id])
    expect(await process(3).calls.findReplay(idempotency)).to.deep.include({ merged: true })
    expect((await process(3).calls.initiate({ ...later, merge, idempotency })).call.id).to.equal(call.id)
    expect(await codeOf(process(3).calls.findReplay({ ...idempotency, bodyHash: 'other' }))).to.equal('CONFLICT')
    expect(await rowsOf('SELECT 1 FROM idempotency_keys WHERE user_id = ? AND merged', [other])).to.have.length(1)
  })

  it('keep no key of a merge that lost: the same key makes the next call', async () => {
    const { first, later, other } = couple()
    const idempotency = { userId: other, key: 'key', bodyHash: 'body' }
    const { call } = await process(0).calls.initiate(first)
    await process(1).calls.answer(call.id, other, 'tablet')

    const code = await codeOf(process(2).calls.initiate({ ...later, merge, idempotency }))
    await process(1).calls.end(call.id, other, 'user_hangup')
    const next = await process(2).calls.initiate({ ...later, merge, idempotency })

    expect(code).to.equal('USER_ALREADY_IN_CALL')
    expect(next).to.include({ merged: false, replayed: false })
    await process(2).calls.end(next.call.id, other, 'user_hangup')
  })

  it('make a new call where the earlier one is overdue, worker or not', async () => {
    const { first, later } = couple()
    const { call } = await process(0).calls.initiate(first)
    await backdate(process(0).db, call.id, 'deadline_at', 45_000)

    const made = await process(1).calls.initiate({ ...later, merge })

    expect(made).to.include({ merged: false })
    expect((await process(1).calls.require(call.id)).endReason).to.equal('no_answer')
  })

  it('end in one call, or in what its cancel left, whoever else answers or cancels at that moment', async () => {
    for (let trial = 0; trial < 25 * TRIALS; trial++) {
      const { first, later, one, other } = couple()
      const { call } = await process(0).calls.initiate(first)
      const [merging, answer, cancel] = await Promise.all([
        process(1)
          .calls.initiate({ ...later, merge })
          .catch((error: Error & { code: string }) => error.code),
        trial % 2 === 0 ? codeOf(process(2).calls.answer(call.id, other, 'tablet')) : 'none',
        trial % 3 === 0 ? codeOf(process(3).calls.end(call.id, one, 'user_hangup')) : 'none',
      ])

      const after = await process(0).calls.require(call.id)
      const live = await rowsOf('SELECT call_id FROM live_participants WHERE user_id IN (?, ?)', [one, other])
      if (typeof merging === 'string') {
        expect(merging).to.equal('USER_ALREADY_IN_CALL')
        expect(after.answeredByDevice).to.equal('tablet')
      } else if (merging.merged) {
        expect(after.answeredByDevice).to.equal('phone')
        expect(['none', 'CONFLICT', 'CALL_ALREADY_ENDED']).to.include(answer)
      } else {
        expect(cancel).to.equal('resolved')
        expect(merging.call.callerId).to.equal(other)
        expect(live.map((row: { call_id: string }) => row.call_id)).to.deep.equal([merging.call.id, merging.call.id])
      }
      expect([0, 2]).to.include(live.length)
      for (const user of [one]) {
        const now = await process(0).calls.liveCallOf(user)
        if (now !== undefined) await process(0).calls.end(now.id, user, 'user_hangup')
      }
    }
  })

  it('never block each other for ever: all orders of initiate, merge and hang-up in a ring of users', async () => {
    const users = Array.from({ length: 4 }, () => randomUUID())
    const faults = new Set<string>()
    await Promise.all(
      users.flatMap((callerId, index) =>
        [1, 2, 3].map(async (step) => {
          const calleeId = users[(index + step) % users.length] as string
          const { calls } = process(index + step)
          for (let round = 0; round < 10 * TRIALS; round++) {
            const key = { userId: callerId, key: randomUUID(), bodyHash: 'body' }
            const idempotency = round % 2 === 0 ? key : undefined
            const wanted = { callerId, calleeId, type: 'voice' as const, merge: { deviceId: `${index}` }, idempotency }
            const outcome = await calls.initiate(wanted).catch((error) => error)
            if (outcome instanceof Error) faults.add((outcome as Error & { code: string }).code)
            else await calls.end(outcome.call.id, callerId, 'user_hangup').catch((error) => faults.add(error.code))
          }
        }),
      ),
    )

    expect(
      [...faults].filter((code) => code !== 'USER_ALREADY_IN_CALL' && code !== 'CALL_ALREADY_ENDED'),
    ).to.deep.equal([])
    expect(await rowsOf('SELECT 1 FROM live_participants WHERE user_id IN (?, ?, ?, ?)', users)).to.have.length(0)
    const [{ deadlocks }] = await rowsOf(
      'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
      [],
    )
    expect(Number(deadlocks)).to.equal(0)
  })
})
