import { expect } from 'chai'
import { BOTH_JOINED, SIDE_JOINED } from '../../core/protocol/occupancy.ts'
import { Bench, backdate, codeOf, PUBLIC_URL, pair, type ServiceParts } from './bench.ts'

describe('CallService', () => {
  let bench: Bench
  let parts: ServiceParts
  before(async () => {
    bench = await Bench.start()
    parts = bench.service()
  })
  after(() => bench.stop())

  const outboxOf = async (callId: string) =>
    (await parts.db.raw('SELECT kind, payload FROM outbox WHERE call_id = ? ORDER BY id', [callId])).rows

  it('rings, is answered, is ended, and is history for both', async () => {
    const users = pair()
    const { call } = await parts.calls.initiate(users)
    expect(call).to.include({ ...users, status: 'connecting', version: 1 })
    expect(call.ringExpiresAt.getTime() - call.createdAt.getTime()).to.equal(45_000)

    const answered = await parts.calls.answer(call.id, users.calleeId, 'phone')
    expect(answered).to.include({ status: 'active', version: 2, answeredByDevice: 'phone' })
    const ended = await parts.calls.end(call.id, users.callerId, 'user_hangup')
    expect(ended).to.include({ status: 'ended', version: 3, endReason: 'hangup' })

    const history = await parts.calls.history(users.calleeId, { limit: 10, offset: 0 })
    expect(history.total).to.equal(1)
    expect(history.entries[0]).to.deep.equal({
      callId: call.id,
      type: 'video',
      status: 'completed',
      role: 'callee',
      otherUserId: users.callerId,
      startedAt: answered.answeredAt,
      endedAt: ended.endedAt,
      durationSeconds: 0,
      endReason: 'hangup',
    })
    expect(await parts.calls.liveCallOf(users.callerId)).to.equal(undefined)
    expect(await parts.calls.shareContact(users.callerId, users.calleeId)).to.equal(true)
    expect(await parts.calls.shareContact(users.calleeId, users.callerId)).to.equal(true)
    expect((await outboxOf(call.id)).map((row: { kind: string }) => row.kind)).to.deep.equal([
      'call-ringing',
      'call-changed',
      'call-changed',
    ])
  })

  it('tells the gateways what happened, in order', async () => {
    const users = pair()
    const { call } = await parts.calls.initiate(users)
    await parts.calls.answer(call.id, users.calleeId, 'phone')
    const ended = await parts.calls.end(call.id, users.calleeId, 'connection_failed')
    await parts.calls.outbox.close()

    const [ringing, active, over] = parts.publisher.of(call.id)
    expect(ringing).to.deep.equal({
      kind: 'call-ringing',
      payload: {
        callee_id: users.calleeId,
        message: {
          type: 'incoming-call',
          call_id: call.id,
          caller_id: users.callerId,
          call_type: 'video',
          created_at: call.createdAt.toISOString(),
          expires_at: call.ringExpiresAt.toISOString(),
          server_time: call.createdAt.toISOString(),
          signaling_url: `${PUBLIC_URL.replace('https', 'wss')}/ws/signaling/${call.id}`,
        },
      },
    })
    expect(active?.payload.message).to.include({ status: 'active', version: 2, answered_by_device: 'phone' })
    expect(over?.payload).to.deep.include({ caller_id: users.callerId, callee_id: users.calleeId })
    expect(over?.payload.message).to.include({
      status: 'failed',
      version: 3,
      end_reason: 'connection_failed',
      timestamp: ended.endedAt?.toISOString(),
    })
  })

  for (const [who, reason, status, endReason, history] of [
    ['caller', 'user_hangup', 'ended', 'canceled', 'missed'],
    ['callee', 'user_hangup', 'ended', 'declined', 'missed'],
    ['callee', 'timeout', 'ended', 'no_answer', 'missed'],
    ['caller', 'connection_failed', 'failed', 'connection_failed', 'failed'],
  ] as const)
    it(`is ${history} (${endReason}) where the ${who} ends it by ${reason} before the answer`, async () => {
      const users = pair()
      const { call } = await parts.calls.initiate(users)
      const userId = who === 'caller' ? users.callerId : users.calleeId

      expect(await parts.calls.end(call.id, userId, reason)).to.include({ status, endReason, answeredAt: null })

      const { entries } = await parts.calls.history(userId, { limit: 1, offset: 0 })
      expect(entries[0]).to.include({ status: history, durationSeconds: 0, endReason })
      expect(entries[0]?.startedAt).to.deep.equal(call.createdAt)
      expect(await parts.calls.shareContact(users.callerId, users.calleeId)).to.equal(false)
    })

  it('refuses a user in a call, naming the call to the caller alone', async () => {
    const first = pair()
    const { call } = await parts.calls.initiate(first)
    const stranger = pair()

    const own = await parts.calls.initiate({ ...stranger, callerId: first.calleeId }).catch((error) => error)
    const other = await parts.calls.initiate({ ...stranger, calleeId: first.calleeId }).catch((error) => error)

    expect(own).to.include({ code: 'USER_ALREADY_IN_CALL' })
    expect(own.details).to.deep.equal({ call_id: call.id })
    expect(other).to.include({ code: 'USER_ALREADY_IN_CALL', details: undefined })
    // A refused call must not hold the stranger.
    expect(await codeOf(parts.calls.initiate(stranger))).to.equal('resolved')
  })

  it('refuses to call oneself, or a user who has set itself offline', async () => {
    const users = pair()
    const self = await parts.calls.initiate({ ...users, calleeId: users.callerId }).catch((error) => error)
    await parts.db.raw('INSERT INTO user_presence (user_id, set_offline) VALUES (?, true)', [users.calleeId])

    expect(self).to.deep.include({ code: 'INVALID_REQUEST', details: { field: 'callee_id' } })
    expect(await codeOf(parts.calls.initiate(users))).to.equal('USER_NOT_AVAILABLE')
    expect(await parts.calls.liveCallOf(users.callerId)).to.equal(undefined)
  })

  it('lets only the callee answer, once, or again from the same device', async () => {
    const users = pair()
    const { call } = await parts.calls.initiate(users)
    const { calls } = parts

    expect(await codeOf(calls.answer(call.id, users.callerId, 'phone'))).to.equal('FORBIDDEN')
    expect(await codeOf(calls.answer(pair().callerId, users.calleeId, 'phone'))).to.equal('CALL_NOT_FOUND')
    const answered = await calls.answer(call.id, users.calleeId, 'phone')
    expect(await calls.answer(call.id, users.calleeId, 'phone')).to.deep.include(answered)
    expect(await codeOf(calls.answer(call.id, users.calleeId, 'tablet'))).to.equal('CONFLICT')
    expect(await codeOf(calls.answer(call.id, users.calleeId, undefined))).to.equal('CONFLICT')
    expect(await codeOf(calls.end(call.id, pair().callerId, 'user_hangup'))).to.equal('FORBIDDEN')
    await calls.end(call.id, users.callerId, 'user_hangup')
    expect(await codeOf(calls.answer(call.id, users.calleeId, 'phone'))).to.equal('CALL_ALREADY_ENDED')
    expect(await codeOf(calls.end(call.id, users.callerId, 'user_hangup'))).to.equal('CALL_ALREADY_ENDED')
    expect(await outboxOf(call.id)).to.have.length(3)
  })

  describe('with an overdue ring and no worker', () => {
    const overdueCall = async () => {
      const users = pair()
      const { call } = await parts.calls.initiate(users)
      await parts.db.raw(
        `UPDATE calls SET created_at = created_at - interval '46 s', ring_expires_at = ring_expires_at - interval '46 s',
           deadline_at = deadline_at - interval '46 s' WHERE id = ?`,
        [call.id],
      )
      return { call, users }
    }

    for (const [name, act] of [
      ['answer', (id: string, user: string) => parts.calls.answer(id, user, 'phone')],
      ['end', (id: string, user: string) => parts.calls.end(id, user, 'user_hangup')],
    ] as const)
      it(`refuses to ${name} it, as it is over`, async () => {
        const { call, users } = await overdueCall()

        expect(await codeOf(act(call.id, users.calleeId))).to.equal('CALL_ALREADY_ENDED')

        expect(await parts.calls.require(call.id)).to.include({ endReason: 'no_answer', version: 2 })
        expect(await outboxOf(call.id)).to.have.length(2)
      })

    it('blocks neither of its users', async () => {
      const { call, users } = await overdueCall()
      const next = await parts.calls.initiate({ ...pair(), calleeId: users.callerId })

      expect(next.call.status).to.equal('connecting')
      const over = await parts.calls.require(call.id)
      expect(over).to.include({ status: 'ended', endReason: 'no_answer' })
      expect(over.endedAt?.getTime()).to.equal(over.ringExpiresAt.getTime())
      expect(await parts.calls.liveCallOf(users.calleeId)).to.equal(undefined)
    })
  })

  describe('with an abandoned active call and no worker', () => {
    const abandonedCall = async () => {
      const users = pair()
      const { call } = await parts.calls.initiate(users)
      await parts.calls.answer(call.id, users.calleeId, 'phone')
      await backdate(parts.db, call.id, 'deadline_at', 61_000)
      return { call, users }
    }
    // As if this Postgres had been up for long: a fresh one gives peers time to come back before it judges.
    before(async () => {
      await parts.db.raw(`CREATE SCHEMA patient`)
      await parts.db.raw(
        `CREATE FUNCTION patient.pg_postmaster_start_time() RETURNS timestamptz LANGUAGE sql
         AS $$ SELECT now() - interval '1 hour' $$`,
      )
      await parts.db.raw(`ALTER DATABASE calling SET search_path = public, patient, pg_catalog`)
      parts = bench.service()
    })

    it('lets it block nobody where no peer is connected', async () => {
      const { call, users } = await abandonedCall()

      expect(await codeOf(parts.calls.initiate({ ...pair(), callerId: users.callerId }))).to.equal('resolved')
      expect(await parts.calls.require(call.id)).to.include({ status: 'failed', endReason: 'setup_timeout' })
    })

    it('keeps it where a peer is connected, or Redis is away', async () => {
      const { call, users } = await abandonedCall()
      const next = () => parts.calls.initiate({ ...pair(), callerId: users.callerId })

      parts.rooms.connected.add(call.id)
      expect(await codeOf(next())).to.equal('USER_ALREADY_IN_CALL')
      parts.rooms.connected.clear()
      parts.rooms.away = true
      expect(await codeOf(next())).to.equal('USER_ALREADY_IN_CALL')
      parts.rooms.away = false
      expect((await parts.calls.liveCallOf(users.callerId))?.id).to.equal(undefined)
    })

    it('ends it where one peer is connected and the other one has never joined', async () => {
      const { call, users } = await abandonedCall()
      await backdate(parts.db, call.id, 'answered_at', 61_000)

      parts.rooms.half.add(call.id)

      expect(await codeOf(parts.calls.initiate({ ...pair(), callerId: users.callerId }))).to.equal('resolved')
      expect(await parts.calls.require(call.id)).to.include({ status: 'failed', endReason: 'setup_timeout' })
    })

    it('measures the set-up limit from the answer until both have joined', async () => {
      const users = pair()
      const { call } = await parts.calls.initiate(users)
      const { answeredAt } = await parts.calls.answer(call.id, users.calleeId, undefined)
      const sinceAnswer = async () => {
        const { rows } = await parts.db.raw('SELECT deadline_at FROM calls WHERE id = ?', [call.id])
        return rows[0].deadline_at && rows[0].deadline_at.getTime() - Number(answeredAt?.getTime())
      }
      const note = (version: number, isOccupied: boolean, joined: number) =>
        parts.calls.noteOccupancy([{ callId: call.id, isOccupied, version, joined }])

      await note(11, true, SIDE_JOINED.a)
      expect(await sinceAnswer(), 'one is there').to.equal(60_000)
      await note(12, false, 0)
      expect(await sinceAnswer(), 'nobody is, for less than the lost-peers limit').to.equal(60_000)
      await note(13, true, SIDE_JOINED.a)
      await note(13, true, SIDE_JOINED.b)
      expect(await sinceAnswer(), 'both have joined').to.equal(null)
      // A fact that is no news of the room may be one of who has joined.
      expect(await parts.calls.require(call.id)).to.include({ joinedSides: BOTH_JOINED, occupancyVersion: 13 })
    })

    it('measures the lost-peers limit from the later of loss and answer', async () => {
      const users = pair()
      const { call } = await parts.calls.initiate(users)
      const deadline = async () =>
        (await parts.db.raw('SELECT deadline_at FROM calls WHERE id = ?', [call.id])).rows[0].deadline_at

      const note = (version: number, isOccupied: boolean) =>
        parts.calls.noteOccupancy([{ callId: call.id, isOccupied, version, joined: BOTH_JOINED }])

      await note(11, true)
      await note(12, false)
      expect(await deadline()).to.deep.equal(call.ringExpiresAt)
      const { answeredAt } = await parts.calls.answer(call.id, users.calleeId, undefined)
      expect((await deadline()).getTime() - Number(answeredAt?.getTime())).to.equal(60_000)
      await note(13, true)
      expect(await deadline()).to.equal(null)
      await note(14, false)
      const gone = await parts.calls.require(call.id)
      expect((await deadline()).getTime() - Number(gone.peersGoneSince?.getTime())).to.equal(60_000)
      expect(gone.version).to.equal(2)
    })

    it('begins the lost-peers limit anew after a visit of which only the end is told', async () => {
      const users = pair()
      const { call } = await parts.calls.initiate(users)
      await parts.calls.answer(call.id, users.calleeId, undefined)
      const goneSince = async () => (await parts.calls.require(call.id)).peersGoneSince?.getTime() ?? 0

      await parts.calls.noteOccupancy([{ callId: call.id, isOccupied: false, version: 12, joined: 0 }])
      await backdate(parts.db, call.id, 'peers_gone_since', 50_000)
      const before = await goneSince()
      await parts.calls.noteOccupancy([{ callId: call.id, isOccupied: false, version: 12, joined: 0 }])
      expect(await goneSince()).to.equal(before)
      await parts.calls.noteOccupancy([{ callId: call.id, isOccupied: false, version: 14, joined: 0 }])

      expect(await goneSince()).to.be.at.least(before + 50_000)
    })

    it('keeps the newest of what processes tell of a room, in whatever order they tell it', async () => {
      const users = pair()
      const { call } = await parts.calls.initiate(users)
      await parts.calls.answer(call.id, users.calleeId, undefined)
      const isOccupied = async () => (await parts.calls.require(call.id)).peersGoneSince === null
      const tell = (version: number) =>
        parts.calls.noteOccupancy([{ callId: call.id, isOccupied: version % 2 === 1, version, joined: 0 }])

      for (const version of [11, 13, 12]) await tell(version)
      expect(await isOccupied()).to.equal(true)
      for (const version of [16, 15, 14]) await tell(version)
      expect(await isOccupied()).to.equal(false)
    })
  })
})
