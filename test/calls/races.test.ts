import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { Bench, backdate, codeOf, pair, type ServiceParts, TRIALS } from './bench.ts'

function countsOf(codes: string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const code of codes) counts[code] = (counts[code] ?? 0) + 1
  return counts
}

describe('races for a call', () => {
  let bench: Bench
  let processes: ServiceParts[]
  before(async () => {
    bench = await Bench.start({ databaseTimeout: '60' })
    processes = Array.from({ length: 4 }, () => bench.service({ poolMax: 8 }))
  })
  after(() => bench.stop())

  const process = (index: number) => processes[index % processes.length] as ServiceParts
  const rowsOf = async (sql: string, bindings: unknown[]) => (await process(0).db.raw(sql, bindings as string[])).rows

  /** Whatever raced: versions without a gap, an event for each, and history exactly for what is over. */
  const expectConsistent = async (callId: string) => {
    const call = await process(0).calls.require(callId)
    const told = await rowsOf(
      `SELECT (payload->>'version')::int AS version FROM outbox WHERE call_id = ? ORDER BY id`,
      [callId],
    )
    const history = await rowsOf('SELECT user_id, status, end_reason FROM call_participants WHERE call_id = ?', [
      callId,
    ])
    const live = await rowsOf('SELECT user_id FROM live_participants WHERE call_id = ?', [callId])

    expect(told.map((row: { version: number }) => row.version)).to.deep.equal(
      Array.from({ length: call.version }, (_, index) => index + 1),
    )
    expect(history).to.have.length(call.endedAt === null ? 0 : 2)
    expect(live).to.have.length(call.endedAt === null ? 2 : 0)
    for (const row of history) expect(row.end_reason).to.equal(call.endReason)
    return call
  }

  it('gives a callee whom 200 call at once to exactly one of them', async () => {
    const calleeId = randomUUID()
    const codes = await Promise.all(
      Array.from({ length: 200 }, (_, index) => codeOf(process(index).calls.initiate({ ...pair(), calleeId }))),
    )

    expect(countsOf(codes)).to.deep.equal({ resolved: 1, USER_ALREADY_IN_CALL: 199 })
    expect(await rowsOf('SELECT 1 FROM calls WHERE callee_id = ?', [calleeId])).to.have.length(1)
  })

  it('lets exactly one through where two users call each other at once', async () => {
    for (let trial = 0; trial < 40 * TRIALS; trial++) {
      const { callerId, calleeId, type } = pair()
      const codes = await Promise.all([
        codeOf(process(0).calls.initiate({ callerId, calleeId, type })),
        codeOf(process(1).calls.initiate({ callerId: calleeId, calleeId: callerId, type })),
      ])
      expect(codes.sort()).to.deep.equal(['USER_ALREADY_IN_CALL', 'resolved'])
    }
  })

  it('never deadlocks or loses a user in a ring of users who call and hang up', async () => {
    const users = Array.from({ length: 5 }, () => randomUUID())
    const faults = new Set<string>()
    await Promise.all(
      users.flatMap((callerId, index) =>
        [1, 2, 3].map(async (step) => {
          const calleeId = users[(index + step) % users.length] as string
          const { calls } = process(index + step)
          for (let round = 0; round < 10 * TRIALS; round++) {
            const outcome = await calls.initiate({ callerId, calleeId, type: 'voice' }).catch((error) => error)
            if (outcome instanceof Error) faults.add((outcome as Error & { code: string }).code)
            else await calls.end(outcome.call.id, calleeId, 'user_hangup')
          }
        }),
      ),
    )

    expect([...faults]).to.deep.equal(['USER_ALREADY_IN_CALL'])
    expect(await rowsOf('SELECT 1 FROM live_participants WHERE user_id = ANY (?)', [users])).to.have.length(0)
  })

  it('picks one winner between answer, cancel and decline', async () => {
    for (let trial = 0; trial < 25 * TRIALS; trial++) {
      const users = pair()
      const { call } = await process(0).calls.initiate(users)
      const [answer, cancel, decline] = await Promise.all([
        codeOf(process(1).calls.answer(call.id, users.calleeId, 'phone')),
        codeOf(process(2).calls.end(call.id, users.callerId, 'user_hangup')),
        codeOf(process(3).calls.end(call.id, users.calleeId, 'user_hangup')),
      ])

      const after = await expectConsistent(call.id)
      // Both may win one after the other: answered, then hung up. But only one hangs up.
      expect([cancel, decline].sort()).to.deep.equal(['CALL_ALREADY_ENDED', 'resolved'])
      expect(answer).to.equal(after.answeredAt === null ? 'CALL_ALREADY_ENDED' : 'resolved')
      expect(after.version).to.equal(after.answeredAt === null ? 2 : 3)
      expect(after.endReason).to.equal(
        after.answeredAt !== null ? 'hangup' : cancel === 'resolved' ? 'canceled' : 'declined',
      )
    }
  })

  it('picks one winner between two devices that answer', async () => {
    for (let trial = 0; trial < 15 * TRIALS; trial++) {
      const users = pair()
      const { call } = await process(0).calls.initiate(users)
      const codes = await Promise.all(
        ['phone', 'tablet', 'desk'].map((device, index) =>
          codeOf(process(index).calls.answer(call.id, users.calleeId, device)),
        ),
      )

      expect(codes.sort()).to.deep.equal(['CONFLICT', 'CONFLICT', 'resolved'])
      expect((await expectConsistent(call.id)).version).to.equal(2)
    }
  })

  it('ends a call once where answer, hang-up and sweeps race at the deadline', async () => {
    for (let trial = 0; trial < 25 * TRIALS; trial++) {
      const users = pair()
      const { call } = await process(0).calls.initiate(users)
      const soonMs = 45_000 - Math.random() * 6
      await backdate(process(0).db, call.id, 'ring_expires_at', soonMs)
      await backdate(process(0).db, call.id, 'deadline_at', soonMs)
      const [answer, hangup] = await Promise.all([
        codeOf(process(1).calls.answer(call.id, users.calleeId, 'phone')),
        codeOf(process(2).calls.end(call.id, users.callerId, 'user_hangup')),
        process(3).calls.deadlines.endUnanswered(10),
        process(0).calls.deadlines.endUnanswered(10),
        codeOf(process(0).calls.liveCallOf(users.callerId)),
      ])
      await process(0).calls.deadlines.endUnanswered(10)

      const after = await expectConsistent(call.id)
      expect(after.status).to.equal('ended')
      expect(answer).to.equal(after.answeredAt === null ? 'CALL_ALREADY_ENDED' : 'resolved')
      expect(hangup).to.equal(after.endReason === 'no_answer' ? 'CALL_ALREADY_ENDED' : 'resolved')
      if (after.answeredAt !== null) expect(after.answeredAt.getTime()).to.be.below(after.ringExpiresAt.getTime())
    }
  })

  it('makes one call for twins with the same idempotency key, and replays it for ever after', async () => {
    for (let trial = 0; trial < 5 * TRIALS; trial++) {
      const users = pair()
      const idempotency = { userId: users.callerId, key: randomUUID(), bodyHash: 'body' }
      const twins = await Promise.all(
        Array.from({ length: 12 }, (_, index) => process(index).calls.initiate({ ...users, idempotency })),
      )
      const [first] = twins.filter((twin) => !twin.replayed)
      const callId = first?.call.id as string

      expect(twins.filter((twin) => twin.replayed)).to.have.length(11)
      expect(new Set(twins.map((twin) => twin.call.id)).size).to.equal(1)
      await process(1).calls.answer(callId, users.calleeId, 'phone')
      await process(1).calls.end(callId, users.calleeId, 'user_hangup')
      const replay = await process(2).calls.findReplay(idempotency)
      expect(replay?.merged).to.equal(false)
      expect(replay?.call).to.deep.include({ id: callId, status: 'connecting', version: 1, answeredAt: null })
      expect(replay?.call.ringExpiresAt).to.deep.equal(first?.call.ringExpiresAt)
      expect((await process(3).calls.initiate({ ...users, idempotency })).replayed).to.equal(true)
    }
  })

  it('keeps no key of a refused call, refuses another body, and forgets old keys', async () => {
    const users = pair()
    const { calls, db } = process(0)
    const keyed = (key: string, bodyHash = 'body') => ({
      ...users,
      idempotency: { userId: users.callerId, key, bodyHash },
    })
    const keptFor = (key: string, bodyHash = 'body') => calls.findReplay({ userId: users.callerId, key, bodyHash })
    const { call } = await calls.initiate(keyed('first'))

    expect(await codeOf(calls.initiate(keyed('second')))).to.equal('USER_ALREADY_IN_CALL')
    expect(await codeOf(calls.initiate(keyed('first', 'other')))).to.equal('CONFLICT')
    expect(await codeOf(keptFor('first', 'other'))).to.equal('CONFLICT')
    await calls.end(call.id, users.callerId, 'user_hangup')
    expect((await calls.initiate(keyed('second'))).replayed).to.equal(false)
    await calls.end((await keptFor('second'))?.call.id ?? '', users.callerId, 'user_hangup')
    await db.raw(`UPDATE idempotency_keys SET created_at = created_at - interval '24 h' WHERE user_id = ?`, [
      users.callerId,
    ])
    expect(await keptFor('first')).to.equal(undefined)
    const again = await calls.initiate(keyed('first', 'other'))
    expect(again.replayed).to.equal(false)
    expect(await calls.purgeIdempotencyKeys(1)).to.equal(1)
    expect((await keptFor('first', 'other'))?.call.id).to.equal(again.call.id)
  })
})
