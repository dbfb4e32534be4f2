import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { connect, createUser, ring, type TestUser } from '../support/api-client.ts'
import { openChannel } from '../support/calls.ts'
import { privateCluster, sharedCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { mintManagerToken } from '../support/tokens.ts'

describe('presence over HTTP', () => {
  let cluster: Cluster
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })
  const user = (api = 0): TestUser => createUser(cluster.api(api).url, cluster.jwtSecret)
  const statusOf = async (viewer: TestUser, userId: string) => (await viewer.api.presence(userId)).body.status

  it('knows a user never seen as offline', async () => {
    const viewer = user()
    const stranger = randomUUID()

    const presence = await viewer.api.presence(stranger)
    const check = await viewer.api.checkPresence(stranger)

    expect(presence.body).to.deep.equal({ user_id: stranger, status: 'offline', in_call: false, last_seen: null })
    expect(check.body).to.deep.equal({
      user_id: stranger,
      available: false,
      status: 'offline',
      in_call: false,
      last_seen: null,
    })
  })

  it('is online after PUT online and offline after PUT offline, everywhere', async () => {
    const [viewer, seen] = [user(0), user(1)]

    const set = await seen.api.setPresence({ status: 'online' })
    expect(set.body).to.include({ user_id: seen.id, status: 'online', visibility: 'everyone' })
    const online = await viewer.api.presence(seen.id)
    expect(online.body).to.include({ status: 'online', in_call: false, last_seen: set.body.updated_at })
    expect((await viewer.api.checkPresence(seen.id)).body).to.include({ available: true, status: 'online' })

    expect((await seen.api.setPresence({ status: 'offline' })).body.status).to.equal('offline')
    expect(await statusOf(viewer, seen.id)).to.equal('offline')
    expect((await viewer.api.checkPresence(seen.id)).body.available).to.equal(false)
  })

  it('is online while a connection lives, unless set offline', async () => {
    const [viewer, seen] = [user(0), user(1)]

    const channel = await openChannel(cluster, seen)
    expect(await statusOf(viewer, seen.id)).to.equal('online')
    await seen.api.setPresence({ status: 'offline' })
    expect(await statusOf(viewer, seen.id)).to.equal('offline')
    await seen.api.setPresence({ status: 'online' })
    expect(await statusOf(viewer, seen.id)).to.equal('online')
    await channel.close()
  })

  it('was seen just now while connected, and is offline again when the last connection has gone', async () => {
    const [viewer, seen] = [user(0), user(1)]
    const [first, second] = [await openChannel(cluster, seen), await openChannel(cluster, seen, 'socketio', { at: 1 })]

    const connected = await viewer.api.presence(seen.id)
    expect(Date.now() - Date.parse(connected.body.last_seen ?? '')).to.be.within(-1000, 10_000)
    await first.close()
    expect(await statusOf(viewer, seen.id)).to.equal('online')
    await second.close()

    await eventually(async () => expect(await statusOf(viewer, seen.id)).to.equal('offline'))
  })

  it('tells the call from the call, never from the client', async () => {
    const [caller, callee, viewer] = [user(0), user(1), user(0)]
    await callee.api.setPresence({ status: 'online' })
    const callId = await ring(caller, callee)

    const ringing = await viewer.api.presence(callee.id)
    expect(ringing.body).to.include({ in_call: true, call_id: callId })
    expect((await viewer.api.checkPresence(callee.id)).body).to.include({ available: false, in_call: true })
    const named = await callee.api.setPresence({ status: 'online', call_id: callId.toUpperCase() })
    expect(named.status).to.equal(200)
    await caller.api.end(callId)

    const free = await viewer.api.presence(callee.id)
    expect(free.body.in_call).to.equal(false)
    expect(free.body).not.to.have.property('call_id')
    expect((await viewer.api.checkPresence(callee.id)).body.available).to.equal(true)
  })

  it('refuses a call that is unknown, over or of others, and changes nothing', async () => {
    const [caller, callee, other] = [user(0), user(1), user(0)]
    await other.api.setPresence({ status: 'online' })
    const over = await ring(caller, callee)
    await caller.api.end(over)
    const live = await ring(caller, callee)

    const unknown = await other.api.setPresence({ status: 'offline', call_id: randomUUID() })
    const ended = await caller.api.setPresence({ status: 'offline', call_id: over })
    const foreign = await other.api.setPresence({ status: 'offline', call_id: live })

    expect([unknown.status, unknown.error?.code]).to.deep.equal([404, 'CALL_NOT_FOUND'])
    expect([ended.status, ended.error?.code]).to.deep.equal([404, 'CALL_NOT_FOUND'])
    expect([foreign.status, foreign.error?.code]).to.deep.equal([403, 'FORBIDDEN'])
    expect(await statusOf(caller, other.id)).to.equal('online')
  })

  it('shows itself to whom its user wants', async () => {
    const [seen, contact, stranger] = [user(0), user(1), user(0)]
    const callId = await connect(contact, seen)
    await seen.api.end(callId)
    const missed = await ring(stranger, seen)
    await stranger.api.end(missed)
    const mayLook = async (viewer: TestUser) => {
      const [status, check] = [await viewer.api.presence(seen.id), await viewer.api.checkPresence(seen.id)]
      expect(status.status).to.equal(check.status)
      if (status.status !== 200) expect(status.error?.code).to.equal('FORBIDDEN')
      return status.status === 200
    }

    await seen.api.setPresence({ status: 'online', visibility: 'contacts' })
    expect(await mayLook(contact)).to.equal(true)
    expect(await mayLook(stranger)).to.equal(false)
    const hidden = await seen.api.setPresence({ status: 'online', visibility: 'nobody' })
    expect(hidden.body.visibility).to.equal('nobody')
    expect(await mayLook(contact)).to.equal(false)
    expect(await mayLook(seen)).to.equal(true)
    const backend = { ...stranger, api: stranger.api.as(mintManagerToken(cluster.jwtSecret)) }
    expect(await mayLook(backend)).to.equal(true)
    // A PUT without visibility keeps it.
    expect((await seen.api.setPresence({ status: 'offline' })).body.visibility).to.equal('nobody')
    expect((await seen.api.setPresence({ status: 'online', visibility: 'everyone' })).body.visibility).to.equal(
      'everyone',
    )
    expect(await mayLook(stranger)).to.equal(true)
  })

  it("is set by oneself, or by a backend in one's name", async () => {
    const [one, other] = [user(0), user(1)]
    const backend = one.api.as(mintManagerToken(cluster.jwtSecret))

    const forged = await one.api.setPresence({ status: 'online', user_id: other.id })
    const acted = await backend.setPresence({ status: 'online', user_id: other.id })

    expect([forged.status, forged.error?.code]).to.deep.equal([403, 'FORBIDDEN'])
    expect(acted.body.user_id).to.equal(other.id)
    expect(await statusOf(one, other.id)).to.equal('online')
  })

  const wrong: [string, unknown][] = [
    ['status', {}],
    ['status', { status: 'away' }],
    ['call_id', { status: 'online', call_id: 'x' }],
    ['visibility', { status: 'online', visibility: 'friends' }],
    ['body', []],
    ['body', null],
  ]
  for (const [field, body] of wrong) {
    it(`refuses ${JSON.stringify(body)}`, async () => {
      const refused = await user().api.request('PUT', '/api/v1/presence/status', { body: JSON.stringify(body) })

      expect([refused.status, refused.error?.code]).to.deep.equal([400, 'INVALID_REQUEST'])
      expect(refused.error?.details?.field).to.equal(field)
    })
  }

  describe('in a cluster of its own', () => {
    let own: Cluster
    before(async function () {
      this.timeout(60_000)
      const env = { PRESENCE_ONLINE_SECONDS: '0.5', REQUIRE_ONLINE_CALLEE: 'true' }
      own = await privateCluster({ gateways: 1, workers: 0, edge: false, env })
    })
    after(() => own.stop())
    const ownUser = () => createUser(own.api(0).url, own.jwtSecret)

    it('is offline when the time after PUT online is over', async () => {
      const [viewer, seen] = [ownUser(), ownUser()]

      const { body } = await seen.api.setPresence({ status: 'online' })

      expect(await statusOf(viewer, seen.id)).to.equal('online')
      await eventually(async () => expect(await statusOf(viewer, seen.id)).to.equal('offline'))
      expect(Date.now() - Date.parse(body.updated_at)).to.be.at.least(500)
      expect((await viewer.api.presence(seen.id)).body.last_seen).to.equal(body.updated_at)
    })

    it('lets only online callees ring where REQUIRE_ONLINE_CALLEE says so', async () => {
      const [caller, callee] = [ownUser(), ownUser()]

      const refused = await caller.api.initiate({ caller_id: caller.id, callee_id: callee.id })
      const channel = await openChannel(own, callee)
      const rings = await caller.api.initiate({ caller_id: caller.id, callee_id: callee.id })
      await channel.close()

      expect([refused.status, refused.error?.code]).to.deep.equal([409, 'USER_NOT_AVAILABLE'])
      expect(rings.status).to.equal(201)
    })

    it('asks nobody to be online for a merge: who calls is there', async () => {
      const [one, other, third] = [ownUser(), ownUser(), ownUser()]
      const channel = await openChannel(own, other)
      const first = await one.api.initiate({ caller_id: one.id, callee_id: other.id })

      const toThird = await other.api.initiateOrMerge({ caller_id: other.id, callee_id: third.id })
      const unmerged = await other.api.initiate({ caller_id: other.id, callee_id: one.id })
      const merged = await other.api.initiateOrMerge({ caller_id: other.id, callee_id: one.id })
      await channel.close()

      expect(await statusOf(third, one.id)).to.equal('offline')
      for (const refused of [toThird, unmerged])
        expect([refused.status, refused.error?.code]).to.deep.equal([409, 'USER_NOT_AVAILABLE'])
      expect([merged.status, merged.body.call_id]).to.deep.equal([200, first.body.call_id])
    })

    it('keeps what was set when Redis is wiped, and answers while it is away', async () => {
      const [viewer, gone, hidden, there] = [ownUser(), ownUser(), ownUser(), ownUser()]
      const channels = [await openChannel(own, gone), await openChannel(own, there)]
      await gone.api.setPresence({ status: 'offline' })
      await hidden.api.setPresence({ status: 'online', visibility: 'nobody' })
      const lastSeen = (await viewer.api.presence(gone.id)).body.last_seen

      await own.stopRedis()
      expect((await viewer.api.presence(gone.id)).body).to.include({ status: 'offline', last_seen: lastSeen })
      expect((await viewer.api.presence(hidden.id)).status).to.equal(403)
      expect((await there.api.setPresence({ status: 'online' })).status).to.equal(200)
      expect(await statusOf(viewer, there.id)).to.equal('online')
      await own.startRedis()

      expect((await viewer.api.presence(gone.id)).body.status).to.equal('offline')
      expect((await viewer.api.presence(hidden.id)).status).to.equal(403)
      await eventually(async () => expect(await statusOf(viewer, there.id)).to.equal('online'))
      for (const channel of channels) await channel.close()
    }).timeout(30_000)

    it('says PRESENCE_UPDATE_FAILED where it cannot be stored', async () => {
      const someone = ownUser()
      await own.stopPostgres()

      const failed = await someone.api.setPresence({ status: 'online' })
      const unknown = await someone.api.presence(someone.id)
      await own.startPostgres()

      expect([failed.status, failed.error?.code]).to.deep.equal([503, 'PRESENCE_UPDATE_FAILED'])
      expect(failed.headers.get('retry-after')).to.equal('1')
      expect([unknown.status, unknown.error?.code]).to.deep.equal([503, 'SERVICE_UNAVAILABLE'])
      await eventually(async () => expect((await someone.api.setPresence({ status: 'online' })).status).to.equal(200))
    }).timeout(30_000)
  })
})
