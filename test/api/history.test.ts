import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { connect, createUser, ring, type TestUser } from '../support/api-client.ts'
import { newCall } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { mintManagerToken } from '../support/tokens.ts'

describe('calls as they are seen over HTTP', () => {
  let cluster: Cluster
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })
  /** The caller talks to one API process, the callee to another: what one writes the other must see. */
  const pair = (): [TestUser, TestUser] => [
    createUser(cluster.api(0).url, cluster.jwtSecret),
    createUser(cluster.api(1).url, cluster.jwtSecret),
  ]
  const backend = (user: TestUser) => user.api.as(mintManagerToken(cluster.jwtSecret))

  describe('GET /calls/:id/status', () => {
    it('tells what a ringing call is', async () => {
      const [caller, callee] = pair()
      const initiated = await caller.api.initiate({ caller_id: caller.id, callee_id: callee.id, call_type: 'video' })

      const seen = await callee.api.status(initiated.body.call_id)

      expect(seen.status).to.equal(200)
      const { server_time, ...body } = seen.body
      const [createdAt, expiresAt] = [initiated.body.created_at, initiated.body.expires_at].map(Date.parse)
      expect(Date.parse(server_time)).to.be.within(createdAt ?? 0, expiresAt ?? 0)
      expect(body).to.deep.equal({
        call_id: initiated.body.call_id,
        status: 'connecting',
        type: 'video',
        initiated_by: caller.id,
        started_at: initiated.body.created_at,
        duration: 0,
        participants: [
          {
            user_id: caller.id,
            role: 'caller',
            joined_at: initiated.body.created_at,
            connection_status: 'connecting',
          },
          { user_id: callee.id, role: 'callee', joined_at: null, connection_status: 'connecting' },
        ],
        version: 1,
        expires_at: initiated.body.expires_at,
      })
    })

    it('follows the connections of both participants', async () => {
      const call = await newCall(cluster)
      const statuses = async () => (await call.status()).participants.map((one) => one.connection_status)

      const caller = await call.caller.joinAs('raw')
      expect(await statuses()).to.deep.equal(['connected', 'connecting'])
      await call.answer()
      await call.callee.joinAs('socketio')
      expect(await statuses()).to.deep.equal(['connected', 'connected'])
      await caller.terminate()

      await eventually(async () => expect(await statuses()).to.deep.equal(['disconnected', 'connected']))
    })

    it('shows an active call with the time of its answer', async () => {
      const [caller, callee] = pair()
      const callId = await ring(caller, callee)
      const answered = await callee.api.answer(callId, { user_id: callee.id })

      const seen = await caller.api.status(callId)

      const joinedAt = answered.body.participants[1]?.joined_at
      expect(seen.body).to.include({ status: 'active', version: 2, started_at: joinedAt })
      expect(seen.body).not.to.have.any.keys('expires_at', 'ended_at', 'end_reason')
    })

    it('is for participants and backends', async () => {
      const [caller, callee] = pair()
      const [stranger] = pair()
      const callId = await ring(caller, callee)

      const refused = await stranger.api.status(callId)
      const unknown = await stranger.api.status(randomUUID())

      expect([refused.status, refused.error?.code]).to.deep.equal([403, 'FORBIDDEN'])
      expect([unknown.status, unknown.error?.code]).to.deep.equal([404, 'CALL_NOT_FOUND'])
      expect((await backend(caller).status(callId)).status).to.equal(200)
    })
  })

  describe('GET /calls/user/:id/active', () => {
    it('lists the live call of each participant', async () => {
      const [caller, callee] = pair()
      const callId = await ring(caller, callee, 'video')

      const ofCaller = await caller.api.activeCalls(caller.id)
      const ofCallee = await callee.api.activeCalls(callee.id)

      expect(ofCaller.status).to.equal(200)
      const entry = ofCaller.body.active_calls[0]
      expect(entry).to.include({ call_id: callId, type: 'video', status: 'connecting' })
      expect(entry?.other_participants).to.deep.equal([callee.id])
      expect(ofCallee.body.active_calls[0]?.other_participants).to.deep.equal([caller.id])
      await callee.api.answer(callId, { user_id: callee.id })
      expect((await caller.api.activeCalls(caller.id)).body.active_calls[0]?.status).to.equal('active')
    })

    it('is for oneself and backends', async () => {
      const [user, other] = pair()

      expect((await user.api.activeCalls(user.id)).body).to.deep.equal({ active_calls: [] })
      expect((await user.api.activeCalls(other.id)).error?.code).to.equal('FORBIDDEN')
      expect((await backend(user).activeCalls(other.id)).status).to.equal(200)
    })
  })

  describe('GET /calls/user/:id/history', () => {
    it('holds what is over, newest first, and nothing live', async () => {
      const [caller, callee] = pair()
      const first = await connect(caller, callee)
      await caller.api.end(first)
      const second = await ring(callee, caller, 'video')
      await caller.api.end(second)
      const live = await ring(caller, callee)

      const past = await caller.api.history(caller.id)

      expect(past.status).to.equal(200)
      expect(past.body.calls.map((call) => call.call_id)).to.deep.equal([second, first])
      expect(past.text).not.to.contain(live)
      expect(past.body.calls[0]).to.include({ type: 'video', status: 'missed', initiated_by: callee.id })
      expect(past.body.calls[0]?.participants).to.deep.equal([callee.id, caller.id])
      expect(past.body.pagination).to.deep.equal({ limit: 50, offset: 0, total: 2, has_more: false })
    })

    it('filters by type and status', async () => {
      const [caller, callee] = pair()
      const completed = await connect(caller, callee, 'video')
      await caller.api.end(completed)
      const missed = await ring(caller, callee, 'voice')
      await caller.api.end(missed)
      const failed = await ring(caller, callee, 'voice')
      await caller.api.end(failed, { reason: 'connection_failed' })
      const ids = async (query: Record<string, string>) =>
        (await caller.api.history(caller.id, query)).body.calls.map((call) => call.call_id)

      expect(await ids({ call_type: 'video' })).to.deep.equal([completed])
      expect(await ids({ call_type: 'voice' })).to.deep.equal([failed, missed])
      expect(await ids({ status: 'completed' })).to.deep.equal([completed])
      expect(await ids({ status: 'missed' })).to.deep.equal([missed])
      expect(await ids({ status: 'failed', call_type: 'voice' })).to.deep.equal([failed])
      expect(await ids({ status: 'failed', call_type: 'video' })).to.deep.equal([])
    })

    it('pages by offset and by cursor, without a gap', async () => {
      const [caller, callee] = pair()
      const made: string[] = []
      for (let index = 0; index < 5; index++) {
        const callId = await ring(caller, callee)
        await caller.api.end(callId)
        made.unshift(callId)
      }

      const page = await caller.api.history(caller.id, { limit: 2, offset: 2 })
      expect(page.body.calls.map((call) => call.call_id)).to.deep.equal(made.slice(2, 4))
      expect(page.body.pagination).to.include({ limit: 2, offset: 2, total: 5, has_more: true })
      const past = await caller.api.history(caller.id, { offset: 1000 })
      expect(past.body.calls).to.deep.equal([])
      expect(past.body.pagination).to.deep.equal({ limit: 50, offset: 1000, total: 5, has_more: false })

      const seen: string[] = []
      let cursor: string | undefined
      do {
        const next = await caller.api.history(caller.id, { limit: 2, ...(cursor === undefined ? {} : { cursor }) })
        seen.push(...next.body.calls.map((call) => call.call_id))
        cursor = next.body.pagination.next_cursor
        expect(next.body.pagination.has_more).to.equal(cursor !== undefined)
      } while (cursor !== undefined)
      expect(seen).to.deep.equal(made)
    })

    it('is for oneself and backends', async () => {
      const [user, other] = pair()

      expect((await user.api.history(other.id)).error?.code).to.equal('FORBIDDEN')
      expect((await backend(user).history(other.id)).status).to.equal(200)
    })

    const wrong: Record<string, string>[] = [
      { limit: '0' },
      { limit: '201' },
      { limit: '-1' },
      { limit: 'ten' },
      { limit: '1.5' },
      { limit: '' },
      { limit: '99999999999999999999' },
      { offset: '-1' },
      { offset: '99999999999' },
      { call_type: 'fax' },
      { status: 'active' },
      { cursor: 'nonsense' },
      { cursor: Buffer.from('not-a-date x').toString('base64url') },
      { from: '2024-01-01' },
    ]
    for (const query of wrong) {
      it(`refuses ${new URLSearchParams(query)}`, async () => {
        const [user] = pair()

        const refused = await user.api.history(user.id, query)

        expect(refused.status).to.equal(400)
        expect(refused.error?.code).to.equal('INVALID_REQUEST')
        expect(refused.error?.details?.field).to.equal(Object.keys(query)[0])
      })
    }

    it('refuses a parameter that is given twice', async () => {
      const [user] = pair()

      const refused = await user.api.request('GET', `/api/v1/calls/user/${user.id}/history?limit=1&limit=2`)

      expect(refused.error?.details?.field).to.equal('limit')
    })
  })
})
