import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { loadConfig } from '../../core/platform/config.ts'
import { createDatabase, type Database } from '../../core/platform/postgres.ts'
import type { InitiateResponse, MergedResponse } from '../../core/protocol/http.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { type ApiResponse, createUser, type TestUser } from '../support/api-client.ts'
import { newCall, newUser, openChannel } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { connectPeer, PEER_KINDS, type PeerKind } from '../support/connect-peer.ts'
import { pick, runSeed, seededRandom } from '../support/randomness.ts'

const FULL = process.env.TRIALS === 'full'
// What goes wrong over HTTP goes wrong at once. A wrong order of locks, planted, took 1,000 trials and more here, and
// always fails the rings of users in test/calls.
const TRIALS = FULL ? 10_000 : 250
/** One pair in so many also signals, and its two connect to two gateways on two transports. */
const SIGNALING_EVERY = 20
const AT_ONCE = 8
/** How far apart the two requests leave: most at the same moment, some after the first has long been answered. */
const SKEWS_MS = [0, 0, 1, 3, 10, 40] as const

type Answer = ApiResponse<InitiateResponse | MergedResponse>

describe('glare over HTTP', () => {
  let cluster: Cluster
  let db: Database
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
    db = createDatabase(loadConfig('worker', { DATABASE_URL: cluster.description.postgres.url }).postgres, 'test')
  })
  after(() => db.destroy())

  const deadlocks = async (): Promise<number> => {
    const sql = 'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()'
    return Number((await db.raw<{ rows: { deadlocks: string }[] }>(sql)).rows[0]?.deadlocks)
  }
  const user = (api: number): TestUser =>
    createUser(cluster.api(api).url, cluster.jwtSecret, { device_id: `device of API ${api}` })
  const calling = (one: TestUser, other: TestUser, type: 'voice' | 'video' = 'voice', key?: string): Promise<Answer> =>
    one.api.initiateOrMerge({ caller_id: one.id, callee_id: other.id, call_type: type }, key)

  /** What both see must be one call that both are in, whoever was first. */
  async function assertConnected(pair: [TestUser, TestUser], answers: [Answer, Answer]): Promise<string> {
    const statuses = answers.map(({ status }) => status)
    expect([...statuses].sort(), answers.map(({ text }) => text).join(' ')).to.deep.equal([200, 201])
    const first = answers[statuses.indexOf(201)] as Answer
    const merged = answers[statuses.indexOf(200)]?.body as MergedResponse
    expect(merged).to.include({ call_id: first.body.call_id, status: 'active', role: 'callee', merged: true })
    expect(merged.signaling_url).to.equal(first.body.signaling_url)
    expect(merged.created_at).to.equal(first.body.created_at)
    const seen = await Promise.all(pair.map(({ api, id }) => api.activeCalls(id)))
    for (const { body } of seen)
      expect(body.active_calls.map(({ call_id, status }) => [call_id, status])).to.deep.equal([
        [merged.call_id, 'active'],
      ])
    return merged.call_id
  }

  async function assertSignaling(callId: string, [one, other]: [TestUser, TestUser], trial: number): Promise<void> {
    const peer = (me: TestUser, otherId: string, at: number) =>
      connectPeer(PEER_KINDS[(trial + at) % 2] as PeerKind, {
        url: cluster.gateway(at).url,
        userId: me.id,
        token: me.token,
        callId,
        otherId,
      })
    const peers = await Promise.all([peer(one, other.id, 0), peer(other, one.id, 1)])
    await Promise.all(peers.map((connected) => connected.join()))
    peers[0].offer('offer')
    expect((await peers[1].next('offer')).sdp).to.equal('offer')
    peers[1].send(peers[1].answerMessage('answer'))
    expect((await peers[0].next('answer')).sdp).to.equal('answer')
    await Promise.all(peers.map((connected) => connected.close()))
  }

  it(`makes one call that both are in, in ${TRIALS} trials through two API processes, and never deadlocks`, async function () {
    this.timeout(FULL ? 1_200_000 : 120_000)
    const seed = runSeed()
    const random = seededRandom(seed)
    const before = await deadlocks()
    const counts = { first: 0, later: 0 }
    let next = 0
    const runner = async () => {
      for (let trial = next++; trial < TRIALS; trial = next++) {
        const pair: [TestUser, TestUser] = [user(0), user(1)]
        const [skewMs, oneIsLate] = [pick(random, SKEWS_MS), random() < 0.5]
        const keys = random() < 0.5 ? [randomUUID(), randomUUID()] : []
        const lateBy = (late: boolean) => (late && skewMs > 0 ? pause(skewMs) : undefined)
        const answers = await Promise.all([
          Promise.resolve(lateBy(oneIsLate)).then(() => calling(pair[0], pair[1], 'voice', keys[0])),
          Promise.resolve(lateBy(!oneIsLate)).then(() => calling(pair[1], pair[0], 'video', keys[1])),
        ])
        const callId = await assertConnected(pair, answers).catch((error: Error) => {
          throw new Error(`seed ${seed}, trial ${trial}, skew ${skewMs} ms: ${error.message}`)
        })
        counts[answers[0].status === 201 ? 'first' : 'later'] += 1
        if (trial % SIGNALING_EVERY === 0) await assertSignaling(callId, pair, trial)
        expect((await pair[trial % 2]?.api.end(callId))?.status).to.equal(200)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, runner))

    expect(await deadlocks()).to.equal(before)
    // Both orders were really tried.
    expect(Math.min(counts.first, counts.later)).to.be.above(TRIALS / 10)
  })

  it('answers by the device of the token, else of the body, and tells the other devices', async () => {
    const [one, other] = [user(0), createUser(cluster.api(1).url, cluster.jwtSecret, { jti: 'a token' })]
    const channels = await Promise.all(PEER_KINDS.map((kind, at) => openChannel(cluster, other, kind, { at })))
    const first = await calling(one, other, 'video')

    const body = { caller_id: other.id, callee_id: one.id, call_type: 'voice' as const, device_id: 'watch' }
    const merged = await other.api.initiateOrMerge(body)

    expect(merged.body).to.include({ call_id: first.body.call_id, merged: true, call_type: 'video' })
    for (const channel of channels)
      expect(await channel.next('call-status')).to.include({ status: 'active', answered_by_device: 'watch' })
    await one.api.end(first.body.call_id)
    const [third, fourth] = [user(0), user(1)]
    const call = await calling(third, fourth)
    await calling(fourth, third)
    const told = await connectPeer('raw', {
      url: cluster.gateway(0).url,
      userId: third.id,
      token: third.token,
      callId: call.body.call_id,
    })
    expect((await told.join()).status.answered_by_device).to.equal('device of API 1')
  })

  it('replays the 200 for the same key, whatever has become of the call, and counts nothing', async () => {
    const [one, other] = [user(0), user(1)]
    const first = await calling(one, other)
    const merged = await calling(other, one, 'voice', 'key')
    await one.api.end(first.body.call_id)

    for (let turn = 0; turn < 12; turn++) {
      const again = await calling(other, one, 'voice', 'key')
      expect([again.status, again.headers.get('idempotent-replayed')]).to.deep.equal([200, 'true'])
      expect(again.body).to.deep.equal(merged.body)
    }
    expect((await calling(other, one, 'video', 'key')).error?.code).to.equal('CONFLICT')
  })

  it('refuses the later one as ever where it does not ask for a merge, naming the call to answer', async () => {
    const [one, other] = [user(0), user(1)]
    const first = await calling(one, other)
    for (const extra of [{}, { on_glare: 'reject' }, { on_glare: null }]) {
      const body = { caller_id: other.id, callee_id: one.id, call_type: 'voice', ...extra }
      const refused = await other.api.request('POST', '/api/v1/calls/initiate', { body })
      expect([refused.status, refused.error?.code]).to.deep.equal([409, 'USER_ALREADY_IN_CALL'])
      expect(refused.error?.details).to.deep.equal({ call_id: first.body.call_id })
    }
    const body = { caller_id: other.id, callee_id: one.id, call_type: 'voice', on_glare: 'maybe' }
    const invalid = await other.api.request('POST', '/api/v1/calls/initiate', { body })
    expect([invalid.status, invalid.error?.details?.field]).to.deep.equal([400, 'on_glare'])
  })

  it('makes an ordinary call where nobody calls back', async () => {
    const caller = newUser(cluster)
    const callee = newUser(cluster)
    expect((await calling(caller, callee)).status).to.equal(201)
    const busy = await newCall(cluster)
    expect((await calling(newUser(cluster), busy.callee.user)).error?.code).to.equal('USER_ALREADY_IN_CALL')
  })
})
