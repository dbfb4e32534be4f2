import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { createDatabase, type Database } from '../../core/platform/postgres.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { connect, createUser, ring, type TestUser } from '../support/api-client.ts'
import { newUser, openChannel } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'

/** Rounds in which a stranger, the caller and others want the same users at the same time. */
const ROUNDS = 60

describe('decline_ringing', () => {
  let cluster: Cluster
  let db: Database
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
    db = createDatabase({ url: cluster.description.postgres.url, poolMax: 1, timeoutMs: 5_000 }, 'test')
  })
  after(() => db.destroy())
  const deadlocks = async (): Promise<number> => {
    const sql = 'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()'
    return Number((await db.raw<{ rows: { deadlocks: string }[] }>(sql)).rows[0]?.deadlocks)
  }
  const user = (api = 0): TestUser => createUser(cluster.api(api).url, cluster.jwtSecret)
  const calling = (caller: TestUser, callee: TestUser, more: { on_glare?: 'merge' } = {}) =>
    caller.api.initiate({ caller_id: caller.id, callee_id: callee.id, decline_ringing: true, ...more })

  it('lets a user call out who is rung, and tells the other side that they are busy', async () => {
    const [stranger, caller, callee] = [user(), user(), user()]
    const channels = await Promise.all([stranger, caller].map((one) => openChannel(cluster, one)))
    const ringing = await ring(stranger, caller)
    const plain = await caller.api.initiate({ caller_id: caller.id, callee_id: callee.id })

    const made = await calling(caller, callee)

    expect([plain.status, plain.error?.code, plain.error?.details]).to.deep.equal([
      409,
      'USER_ALREADY_IN_CALL',
      { call_id: ringing },
    ])
    expect(made.status, made.text).to.equal(201)
    for (const channel of channels) {
      const status = await channel.next((message) => message.type === 'call-status' && message.call_id === ringing)
      expect(status).to.include({ status: 'ended', end_reason: 'busy', version: 2 })
    }
    const past = await caller.api.history(caller.id)
    expect(past.body.calls.map(({ call_id, status, end_reason }) => [call_id, status, end_reason])).to.deep.equal([
      [ringing, 'missed', 'busy'],
    ])
    const live = await caller.api.activeCalls(caller.id)
    expect(live.body.active_calls.map(({ call_id }) => call_id)).to.deep.equal([made.body.call_id])
    // The stranger is free.
    await ring(stranger, user())
  })

  it('declines nothing where the new call cannot be made', async () => {
    const [stranger, caller, busy, away] = [user(), user(), user(), user()]
    await ring(user(), busy)
    await away.api.setPresence({ status: 'offline' })
    const ringing = await ring(stranger, caller)

    const refused = [await calling(caller, busy), await calling(caller, away)]

    expect(refused.map(({ status, error }) => [status, error?.code, error?.details])).to.deep.equal([
      [409, 'USER_ALREADY_IN_CALL', undefined],
      [409, 'USER_NOT_AVAILABLE', undefined],
    ])
    expect((await caller.api.answer(ringing, { user_id: caller.id })).status).to.equal(200)
  })

  it('leaves a call alone that the caller has made or answered', async () => {
    const [caller, callee, third] = [user(), user(), user()]
    const own = await ring(caller, callee)
    const first = await calling(caller, third)
    await callee.api.answer(own, { user_id: callee.id })
    const second = await calling(callee, third)

    for (const { status, error } of [first, second])
      expect([status, error?.code, error?.details]).to.deep.equal([409, 'USER_ALREADY_IN_CALL', { call_id: own }])
    expect((await caller.api.status(own)).body.status).to.equal('active')
  })

  it('calls back whom it declines, or with on_glare answers them', async () => {
    const [one, other] = [user(), user()]
    const first = await ring(one, other)
    const back = await calling(other, one)
    expect(back.status, back.text).to.equal(201)
    expect((await one.api.status(first)).body).to.include({ status: 'ended', end_reason: 'busy' })

    const merged = await calling(one, other, { on_glare: 'merge' })

    expect([merged.status, merged.body.call_id]).to.deep.equal([200, back.body.call_id])
  })

  it('makes a repeated request harmless by its key', async () => {
    const [stranger, caller, callee] = [user(), user(), user()]
    await ring(stranger, caller)
    const body = { caller_id: caller.id, callee_id: callee.id, decline_ringing: true }

    const answers = await Promise.all([0, 1, 2].map(() => caller.api.initiate(body, 'key')))

    expect(answers.map(({ status }) => status)).to.deep.equal([201, 201, 201])
    expect(new Set(answers.map((answer) => answer.body.call_id)).size).to.equal(1)
  })

  it('has one winner among all who want the same users, and nobody in two calls', async () => {
    const deadlocksBefore = await deadlocks()
    for (let round = 0; round < ROUNDS; round++) {
      const users = [0, 1, 0, 1].map((api) => user(api))
      const [rung, callee, stranger, third] = users as [TestUser, TestUser, TestUser, TestUser]
      await ring(stranger, rung)

      const answers = await Promise.all([
        calling(rung, callee),
        calling(third, callee),
        calling(stranger, callee),
        calling(callee, stranger),
        third.api.initiate({ caller_id: third.id, callee_id: rung.id }),
      ])

      for (const answer of answers) expect([201, 409], answer.text).to.include(answer.status)
      const live = await Promise.all(users.map((one) => one.api.activeCalls(one.id)))
      const places = new Map<string, number>()
      for (const { body } of live) {
        expect(body.active_calls.length).to.be.below(2)
        for (const { call_id } of body.active_calls) places.set(call_id, (places.get(call_id) ?? 0) + 1)
      }
      for (const count of places.values()) expect(count).to.equal(2)
    }
    expect(await deadlocks()).to.equal(deadlocksBefore)
  }).timeout(120_000)

  it('must be true or false', async () => {
    const caller = user()
    const body = { caller_id: caller.id, callee_id: randomUUID(), call_type: 'voice', decline_ringing: 'yes' }

    const answer = await caller.api.request('POST', '/api/v1/calls/initiate', { body })

    expect([answer.status, answer.error?.code]).to.deep.equal([400, 'INVALID_REQUEST'])
  })
})

describe('unanswered rings', () => {
  let cluster: Cluster
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })
  /** Rings and stops ringing, by whichever of the two, for whichever reason. */
  const ringAndEnd = async (caller: TestUser, callee: TestUser, by: TestUser, reason?: 'connection_failed') => {
    const callId = await ring(caller, callee)
    expect((await by.api.end(callId, { user_id: by.id, reason })).status).to.equal(200)
  }

  it('are limited for each caller and callee, also across API processes, and a 429 says when to ring again', async () => {
    const [caller, callee] = [newUser(cluster), newUser(cluster)]
    const elsewhere = createUser(cluster.api(1).url, cluster.jwtSecret, { sub: caller.id })
    // Given up, declined, failed: whatever they end with.
    for (let round = 0; round < 4; round++) await ringAndEnd(caller, callee, caller)
    for (let round = 0; round < 3; round++) await ringAndEnd(elsewhere, callee, callee)
    await ringAndEnd(caller, callee, caller, 'connection_failed')

    const refused = await elsewhere.api.initiate({ caller_id: caller.id, callee_id: callee.id })

    expect([refused.status, refused.error?.code], refused.text).to.deep.equal([429, 'RATE_LIMITED'])
    expect(refused.error?.details).to.include({ limit: 8 })
    const wait = Number(refused.headers.get('retry-after'))
    expect(wait).to.be.within(1, 600)
    expect(wait).to.be.above(400)
    // Others are as free as before: the callee to call back, the caller to call somebody else.
    await ringAndEnd(callee, caller, callee)
    await ringAndEnd(caller, newUser(cluster), caller)
  })

  it('count from the last answered call between the two, whoever made it', async () => {
    const [caller, callee] = [newUser(cluster), newUser(cluster)]
    for (let round = 0; round < 8; round++) await ringAndEnd(caller, callee, callee)
    const back = await connect(callee, caller)
    await callee.api.end(back)

    await ringAndEnd(caller, callee, callee)
  })
})

describe('an initiate to a user who shows no presence', () => {
  let cluster: Cluster
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })
  const refusalOf = async (caller: TestUser, callee: TestUser) => {
    const { status, error } = await caller.api.initiate({ caller_id: caller.id, callee_id: callee.id })
    return { status, error }
  }

  it('is refused alike where they are offline and where they are in a call', async () => {
    const [offline, busy, stranger] = [newUser(cluster), newUser(cluster), newUser(cluster)]
    await offline.api.setPresence({ status: 'offline', visibility: 'nobody' })
    await busy.api.setPresence({ status: 'online', visibility: 'nobody' })
    await ring(newUser(cluster), busy)

    const refusals = [await refusalOf(stranger, offline), await refusalOf(stranger, busy)]

    expect(refusals[0]).to.deep.equal(refusals[1])
    expect(refusals[0]).to.deep.include({ status: 409 })
    expect(refusals[0]?.error?.code).to.equal('USER_NOT_AVAILABLE')
  })

  it('tells contacts which, where they may see', async () => {
    const [busy, contact] = [newUser(cluster), newUser(cluster)]
    await busy.api.setPresence({ status: 'online', visibility: 'contacts' })
    await contact.api.end(await connect(contact, busy))
    await ring(newUser(cluster), busy)

    expect((await refusalOf(contact, busy)).error?.code).to.equal('USER_ALREADY_IN_CALL')
    expect((await refusalOf(newUser(cluster), busy)).error?.code).to.equal('USER_NOT_AVAILABLE')
  })
})
