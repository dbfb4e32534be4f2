import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { Bench, backdate, codeOf, pair, type ServiceParts, TRIALS } from './bench.ts'

/** The default of UNREACHABLE_AFTER_SECONDS. */
const LIMIT_MS = 15_000
const NEVER = 1000

describe('receipts of ringing', () => {
  let bench: Bench
  let processes: ServiceParts[]
  before(async () => {
    bench = await Bench.start({ databaseTimeout: '60' })
    processes = Array.from({ length: 4 }, () => bench.service({ poolMax: 6 }))
  })
  after(() => bench.stop())

  const process = (index: number) => processes[index % processes.length] as ServiceParts
  const ringing = async () => {
    const users = pair()
    const { call } = await process(0).calls.initiate(users)
    return { ...users, callId: call.id }
  }
  const due = (callId: string, ms: number) => backdate(process(0).db, callId, 'receipt_due_at', ms)
  const told = async (callId: string) => {
    await Promise.all(processes.map(({ calls }) => calls.outbox.close()))
    return processes
      .flatMap(({ publisher }) => publisher.of(callId))
      .map(({ payload }) => payload.message)
      .filter(({ type }) => type === 'call-status')
      .sort((one, other) => Number(one.version) - Number(other.version))
  }

  it('come within the limit, or the caller is told unreachable; a later one turns it round', async () => {
    const { callId, calleeId } = await ringing()
    await due(callId, LIMIT_MS - 5_000)
    expect(await process(1).calls.rings.giveUp(NEVER)).to.equal(0)
    await due(callId, 5_000)
    expect(await process(1).calls.rings.giveUp(NEVER)).to.equal(1)
    expect(await process(2).calls.rings.giveUp(NEVER)).to.equal(0)
    await process(2).calls.rings.confirm(callId, calleeId)
    expect(await process(2).calls.rings.giveUp(NEVER)).to.equal(0)

    const messages = await told(callId)
    expect(messages.map(({ status, version, ring_state }) => [status, version, ring_state])).to.deep.equal([
      ['connecting', 2, 'unreachable'],
      ['connecting', 3, 'ringing'],
    ])
    const times = messages.map(({ timestamp }) => Date.parse(String(timestamp)))
    expect(times).to.deep.equal([...times].sort((a, b) => a - b))
  })

  it('leave nothing to report for a call that was answered, that is over or overdue, or that an older version made', async () => {
    const calls = await Promise.all(Array.from({ length: 4 }, ringing))
    for (const { callId } of calls) await due(callId, LIMIT_MS)
    const [answered, over, overdue, old] = calls
    await process(0).calls.answer(answered?.callId ?? '', answered?.calleeId ?? '', 'phone')
    await process(0).calls.end(over?.callId ?? '', over?.callerId ?? '', 'user_hangup')
    await backdate(process(0).db, overdue?.callId ?? '', 'deadline_at', 45_000)
    await process(0).db.raw('UPDATE calls SET receipt_due_at = NULL WHERE id = ?', [old?.callId ?? ''])

    expect(await process(1).calls.rings.giveUp(NEVER)).to.equal(0)

    expect(await codeOf(process(1).calls.rings.confirm(overdue?.callId ?? '', overdue?.calleeId ?? ''))).to.equal(
      'CALL_ALREADY_ENDED',
    )
    expect((await process(1).calls.require(overdue?.callId ?? '')).endReason).to.equal('no_answer')
  })

  it('are shared by sweeps of any number, each call once', async () => {
    const calls = await Promise.all(Array.from({ length: 30 }, ringing))
    for (const { callId } of calls) await due(callId, LIMIT_MS)

    const counts = await Promise.all(processes.map(({ calls }) => calls.rings.giveUp(NEVER)))

    expect(counts.reduce((sum, count) => sum + count)).to.equal(30)
    for (const { callId } of calls) expect((await process(0).calls.require(callId)).version).to.equal(2)
  })

  it('race with the limit, the answer and the end without a gap, a change twice or a deadlock', async () => {
    for (let trial = 0; trial < 20 * TRIALS; trial++) {
      const { callId, calleeId, callerId } = await ringing()
      await due(callId, LIMIT_MS)
      const answers = trial % 2 === 0
      const outcomes = await Promise.all([
        codeOf(process(0).calls.rings.confirm(callId, calleeId)),
        codeOf(process(1).calls.rings.confirm(callId, calleeId)),
        codeOf(process(2).calls.rings.giveUp(NEVER)),
        codeOf(process(3).calls.rings.giveUp(NEVER)),
        answers
          ? codeOf(process(3).calls.answer(callId, calleeId, 'phone'))
          : codeOf(process(2).calls.end(callId, callerId, 'user_hangup')),
      ])

      const call = await process(0).calls.require(callId)
      const late = answers ? 'CONFLICT' : 'CALL_ALREADY_ENDED'
      for (const receipt of outcomes.slice(0, 2)) expect(['resolved', late]).to.include(receipt)
      expect(outcomes.slice(2)).to.deep.equal(['resolved', 'resolved', 'resolved'])
      const messages = await told(callId)
      expect(messages.map(({ version }) => version)).to.deep.equal(
        Array.from({ length: call.version - 1 }, (_, index) => index + 2),
      )
      expect(messages.at(-1)?.status).to.equal(answers ? 'active' : 'ended')
      const states = messages.map(({ ring_state }) => ring_state).filter((state) => state !== undefined)
      expect(['', 'ringing', 'unreachable', 'unreachable,ringing']).to.include(states.join())
      expect(call.ringingAt !== null).to.equal(states.includes('ringing'))
      if (!answers) continue
      await process(0).calls.end(callId, callerId, 'user_hangup')
    }
  })

  it('of strangers and callers are refused before anything is said of the call', async () => {
    const { callId, callerId } = await ringing()

    expect(await codeOf(process(0).calls.rings.confirm(callId, callerId))).to.equal('FORBIDDEN')
    expect(await codeOf(process(0).calls.rings.confirm(callId, randomUUID()))).to.equal('FORBIDDEN')
    expect(await codeOf(process(0).calls.rings.confirm(randomUUID(), callerId))).to.equal('CALL_NOT_FOUND')
    expect(await told(callId)).to.deep.equal([])
  })

  it('name what rings a user now, with the time that is left', async () => {
    const [first, second] = [await ringing(), await ringing()]
    const over = await ringing()
    await process(0).calls.end(over.callId, over.calleeId, 'user_hangup')
    const users = [first.calleeId, second.calleeId, second.callerId, over.calleeId, randomUUID()]

    const rings = await process(1).calls.rings.ringsOf(users)

    expect(rings.map(({ message }) => message.call_id)).to.have.members([first.callId, second.callId])
    for (const { message } of rings)
      expect(Date.parse(message.server_time)).to.be.within(
        Date.parse(message.created_at),
        Date.parse(message.expires_at),
      )
  })
})
