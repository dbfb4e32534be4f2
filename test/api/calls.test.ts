import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { connect, createUser, ring, type TestUser } from '../support/api-client.ts'
import { sharedCluster } from '../support/clusters.ts'
import { mintManagerToken } from '../support/tokens.ts'

describe('calls over HTTP', () => {
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

  describe('POST /calls/initiate', () => {
    it('makes a call that rings until its deadline', async () => {
      const [caller, callee] = pair()
      const before = Date.now()

      const initiated = await caller.api.initiate({ caller_id: caller.id, callee_id: callee.id, call_type: 'video' })

      expect(initiated.status).to.equal(201)
      const { call_id, created_at, expires_at, signaling_url } = initiated.body
      expect(initiated.body.status).to.equal('connecting')
      expect(signaling_url).to.equal(`${cluster.env.PUBLIC_URL?.replace('http', 'ws')}/ws/signaling/${call_id}`)
      expect(Date.parse(created_at)).to.be.within(before - 1000, Date.now() + 1000)
      expect(Date.parse(expires_at) - Date.parse(created_at)).to.equal(45_000)
    })

    it('takes ids in any letter case and answers them in lower case', async () => {
      const [caller, callee] = pair()

      const initiated = await caller.api.initiate({
        caller_id: caller.id.toUpperCase(),
        callee_id: callee.id.toUpperCase(),
      })
      const status = await callee.api.status(initiated.body.call_id.toUpperCase())

      expect(initiated.status).to.equal(201)
      expect(status.body.call_id).to.equal(initiated.body.call_id)
      expect(status.body.participants.map((participant) => participant.user_id)).to.deep.equal([caller.id, callee.id])
    })

    it('never lets the Host header into the signaling URL', async () => {
      const [caller, callee] = pair()

      const initiated = await caller.api.request<{ signaling_url: string }>('POST', '/api/v1/calls/initiate', {
        body: { caller_id: caller.id, callee_id: callee.id, call_type: 'voice' },
        headers: { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https', forwarded: 'host=evil.example' },
      })

      expect(initiated.status).to.equal(201)
      expect(initiated.text).not.to.contain('evil')
    })

    it('refuses a caller who is in a live call, naming it', async () => {
      const [caller, callee] = pair()
      const callId = await ring(caller, callee)

      const again = await caller.api.initiate({ caller_id: caller.id, callee_id: randomUUID() })

      expect(again.status).to.equal(409)
      expect(again.error?.code).to.equal('USER_ALREADY_IN_CALL')
      expect(again.error?.details).to.deep.equal({ call_id: callId })
    })

    it('refuses a callee who is in a live call, without naming it', async () => {
      const [caller, callee] = pair()
      const [third] = pair()
      await ring(caller, callee)

      const refused = await third.api.initiate({ caller_id: third.id, callee_id: callee.id })

      expect(refused.status).to.equal(409)
      expect(refused.error?.code).to.equal('USER_ALREADY_IN_CALL')
      expect(refused.error?.details).to.equal(undefined)
    })

    it('refuses a callee who has set himself offline, until he is online again', async () => {
      const [caller, callee] = pair()
      await callee.api.setPresence({ status: 'offline' })

      const refused = await caller.api.initiate({ caller_id: caller.id, callee_id: callee.id })
      await callee.api.setPresence({ status: 'online' })
      const rings = await caller.api.initiate({ caller_id: caller.id, callee_id: callee.id })

      expect(refused.status).to.equal(409)
      expect(refused.error?.code).to.equal('USER_NOT_AVAILABLE')
      expect(rings.status).to.equal(201)
    })

    it('lets nobody call in the name of another, except a backend', async () => {
      const [caller, callee] = pair()
      const body = { caller_id: caller.id, callee_id: callee.id }

      const forged = await callee.api.initiate({ caller_id: caller.id, callee_id: randomUUID() })
      const acted = await backend(caller).initiate(body)

      expect(forged.status).to.equal(403)
      expect(forged.error?.code).to.equal('FORBIDDEN')
      expect(acted.status).to.equal(201)
    })
  })

  describe('PUT /calls/:id/answer', () => {
    it('makes the call active for both', async () => {
      const [caller, callee] = pair()
      const callId = await ring(caller, callee)

      const answered = await callee.api.answer(callId, { user_id: callee.id })

      expect(answered.status).to.equal(200)
      expect(answered.body.call_id).to.equal(callId)
      expect(answered.body.status).to.equal('active')
      const [first, second] = answered.body.participants
      expect(first).to.include({ user_id: caller.id, role: 'caller' })
      expect(second).to.include({ user_id: callee.id, role: 'callee' })
      expect(Date.parse(second?.joined_at ?? '')).to.be.at.least(Date.parse(first?.joined_at ?? ''))
    })

    it('answers the same device again with the same body, another with CONFLICT', async () => {
      const [caller, callee] = pair()
      const callId = await ring(caller, callee)

      const first = await callee.api.answer(callId, { user_id: callee.id, device_id: 'phone' })
      const again = await callee.api.answer(callId, { user_id: callee.id, device_id: 'phone' })
      const other = await callee.api.answer(callId, { user_id: callee.id, device_id: 'tablet' })
      const none = await callee.api.answer(callId, { user_id: callee.id })

      expect(again.status).to.equal(200)
      expect(again.body).to.deep.equal(first.body)
      for (const refused of [other, none]) {
        expect(refused.status).to.equal(409)
        expect(refused.error?.code).to.equal('CONFLICT')
      }
    })

    it("knows the device from the token's device_id, else from the body, never from the token's jti", async () => {
      const [caller] = pair()
      const callee = createUser(cluster.api(1).url, cluster.jwtSecret, { device_id: 'laptop', jti: 'token-1' })
      const renewed = createUser(cluster.api(0).url, cluster.jwtSecret, { sub: callee.id, jti: 'token-2' })
      const callId = await ring(caller, callee)
      const answer = (user: typeof callee, device_id?: string) =>
        user.api.answer(callId, { user_id: callee.id, device_id })

      const first = await answer(callee, 'phone')
      const again = await answer(callee)
      const otherBody = await answer(callee, 'tablet')
      const sameDevice = await answer(renewed, 'laptop')
      const bodysDevice = await answer(renewed, 'phone')
      const none = await answer(renewed)

      expect([first.status, again.status, otherBody.status, sameDevice.status]).to.deep.equal([200, 200, 200, 200])
      for (const refused of [bodysDevice, none]) {
        expect([refused.status, refused.error?.code]).to.deep.equal([409, 'CONFLICT'])
        expect(refused.error?.details).to.deep.equal({ answered_by_device: 'laptop' })
      }
    })

    it('says of an answer without a device, repeated, that no device is known', async () => {
      const [caller] = pair()
      const callee = createUser(cluster.api(1).url, cluster.jwtSecret, { jti: 'token-1' })
      const callId = await ring(caller, callee)

      const first = await callee.api.answer(callId, { user_id: callee.id })
      const again = await callee.api.answer(callId, { user_id: callee.id })
      const named = await callee.api.answer(callId, { user_id: callee.id, device_id: 'token-1' })

      expect([first.status, again.status, named.status]).to.deep.equal([200, 409, 409])
      for (const { error } of [again, named])
        expect([error?.code, error?.details]).to.deep.equal(['CONFLICT', { answered_by_device: null }])
    })

    it('is for the callee alone, or a backend in his name', async () => {
      const [caller, callee] = pair()
      const [stranger] = pair()
      const callId = await ring(caller, callee)

      const byCaller = await caller.api.answer(callId, { user_id: caller.id })
      const byStranger = await stranger.api.answer(callId, { user_id: stranger.id })
      const forged = await stranger.api.answer(callId, { user_id: callee.id })
      const byBackend = await backend(caller).answer(callId, { user_id: callee.id })

      for (const refused of [byCaller, byStranger, forged]) {
        expect(refused.status).to.equal(403)
        expect(refused.error?.code).to.equal('FORBIDDEN')
      }
      expect(byBackend.status).to.equal(200)
    })

    it('finds no unknown call, and no call that is over', async () => {
      const [caller, callee] = pair()
      const callId = await ring(caller, callee)
      await caller.api.end(callId)

      const over = await callee.api.answer(callId, { user_id: callee.id })
      const unknown = await callee.api.answer(randomUUID(), { user_id: callee.id })

      expect([over.status, over.error?.code]).to.deep.equal([409, 'CALL_ALREADY_ENDED'])
      expect([unknown.status, unknown.error?.code]).to.deep.equal([404, 'CALL_NOT_FOUND'])
    })
  })

  describe('DELETE /calls/:id', () => {
    const endings = [
      { answered: false, by: 'caller', reason: 'user_hangup', status: 'ended', end: 'canceled', history: 'missed' },
      { answered: false, by: 'callee', reason: 'user_hangup', status: 'ended', end: 'declined', history: 'missed' },
      { answered: false, by: 'caller', reason: 'timeout', status: 'ended', end: 'no_answer', history: 'missed' },
      {
        answered: false,
        by: 'callee',
        reason: 'connection_failed',
        status: 'failed',
        end: 'connection_failed',
        history: 'failed',
      },
      { answered: true, by: 'caller', reason: 'user_hangup', status: 'ended', end: 'hangup', history: 'completed' },
      { answered: true, by: 'callee', reason: 'timeout', status: 'ended', end: 'timeout', history: 'completed' },
      {
        answered: true,
        by: 'callee',
        reason: 'connection_failed',
        status: 'failed',
        end: 'connection_failed',
        history: 'failed',
      },
    ] as const
    for (const { answered, by, reason, status, end, history } of endings) {
      it(`${answered ? 'after' : 'before'} the answer, ${reason} of the ${by}: ${status}, ${end}, ${history}`, async () => {
        const [caller, callee] = pair()
        const callId = await (answered ? connect : ring)(caller, callee, 'video')
        const ender = by === 'caller' ? caller : callee

        const ended = await ender.api.end(callId, { user_id: ender.id, reason })

        expect(ended.status).to.equal(200)
        expect(ended.body).to.include({ call_id: callId, status, end_reason: end, duration: 0 })
        const seen = await caller.api.status(callId)
        expect(seen.body).to.include({ status, end_reason: end, ended_at: ended.body.ended_at })
        expect(seen.body.participants.map((participant) => participant.connection_status)).to.deep.equal([
          'disconnected',
          'disconnected',
        ])
        for (const user of [caller, callee]) {
          const past = await user.api.history(user.id)
          expect(past.body.calls[0]).to.include({ call_id: callId, status: history, end_reason: end, type: 'video' })
          expect((await user.api.activeCalls(user.id)).body.active_calls).to.deep.equal([])
        }
      })
    }

    it('needs no body: the token says who, and the reason is a hang-up', async () => {
      const [caller, callee] = pair()
      const callId = await ring(caller, callee)

      const ended = await callee.api.end(callId)

      expect(ended.body).to.include({ status: 'ended', end_reason: 'declined' })
    })

    it('takes null for what is left out', async () => {
      const [caller, callee] = pair()
      const callId = await ring(caller, callee)

      const ended = await caller.api.request('DELETE', `/api/v1/calls/${callId}`, {
        body: { user_id: null, reason: null },
      })

      expect(ended.body).to.include({ status: 'ended', end_reason: 'canceled' })
    })

    it('is for participants alone, or a backend in the name of one', async () => {
      const [caller, callee] = pair()
      const [stranger] = pair()
      const callId = await ring(caller, callee)

      const refused = [
        await stranger.api.end(callId),
        await stranger.api.end(callId, { user_id: caller.id }),
        await callee.api.end(callId, { user_id: caller.id }),
        await backend(caller).end(callId),
      ]
      const ended = await backend(caller).end(callId, { user_id: callee.id })

      for (const { status, error } of refused) expect([status, error?.code]).to.deep.equal([403, 'FORBIDDEN'])
      expect(ended.body).to.include({ status: 'ended', end_reason: 'declined' })
    })

    it('ends a call once', async () => {
      const [caller, callee] = pair()
      const callId = await connect(caller, callee)
      await caller.api.end(callId)

      const again = await callee.api.end(callId)
      const unknown = await callee.api.end(randomUUID())

      expect([again.status, again.error?.code]).to.deep.equal([409, 'CALL_ALREADY_ENDED'])
      expect([unknown.status, unknown.error?.code]).to.deep.equal([404, 'CALL_NOT_FOUND'])
    })
  })
})
