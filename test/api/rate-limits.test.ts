import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { type ApiResponse, createUser, type TestUser } from '../support/api-client.ts'
import { privateCluster, sharedCluster } from '../support/clusters.ts'
import { patient } from '../support/patience.ts'
import { mintManagerToken } from '../support/tokens.ts'

/** Turns over the API processes, so that no single one could have counted to the limit. */
type Send = (user: TestUser) => Promise<ApiResponse<unknown>>

const LIMITED: { name: string; limit: number; send: Send }[] = [
  {
    name: 'call initiation',
    limit: 10,
    send: (user) => user.api.initiate({ caller_id: user.id, callee_id: user.id }),
  },
  { name: 'presence updates', limit: 100, send: (user) => user.api.setPresence({ status: 'online' }) },
  { name: 'socket tickets', limit: 100, send: (user) => user.api.socketTicket() },
  { name: 'history queries', limit: 100, send: (user) => user.api.history(user.id, { limit: 1 }) },
]

describe('rate limits', () => {
  let cluster: Cluster
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })
  const sameUserAtEachApi = (): TestUser[] => {
    const sub = randomUUID()
    return [0, 1].map((api) => createUser(cluster.api(api).url, cluster.jwtSecret, { sub }))
  }

  for (const { name, limit, send } of LIMITED) {
    it(`${name}: allows ${limit} a minute and user over all processes, and refuses the next`, async () => {
      const users = sameUserAtEachApi()
      const sendNext = (index: number) => send(users[index % 2] as TestUser)

      for (let index = 0; index < limit; index++) {
        const allowed = await sendNext(index)
        expect(allowed.status, `request ${index + 1}`).not.to.equal(429)
        expect(allowed.headers.get('ratelimit-limit')).to.equal(String(limit))
        expect(allowed.headers.get('ratelimit-remaining')).to.equal(String(limit - index - 1))
        expect(Number(allowed.headers.get('ratelimit-reset'))).to.be.within(1, 60)
      }
      const refused = await sendNext(limit)

      expect([refused.status, refused.error?.code]).to.deep.equal([429, 'RATE_LIMITED'])
      expect(refused.headers.get('ratelimit-remaining')).to.equal('0')
      const retryAfter = Number(refused.headers.get('retry-after'))
      expect(retryAfter).to.be.within(1, 60)
      expect(refused.error?.details).to.deep.equal({ limit, retry_after_seconds: retryAfter })
      expect((await send(sameUserAtEachApi()[0] as TestUser)).status).not.to.equal(429)
    })
  }

  it('exactly ten of many at once are let through', async () => {
    const users = sameUserAtEachApi()

    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) => {
        const user = users[index % 2] as TestUser
        return user.api.initiate({ caller_id: user.id, callee_id: randomUUID() })
      }),
    )

    expect(answers.filter((answer) => answer.status === 201)).to.have.lengthOf(1)
    expect(answers.filter((answer) => answer.status === 409)).to.have.lengthOf(9)
    expect(answers.filter((answer) => answer.status === 429)).to.have.lengthOf(30)
  })

  it('comes before the body is looked at', async () => {
    const [user] = sameUserAtEachApi() as [TestUser]
    const malformed = () => user.api.request('POST', '/api/v1/calls/initiate', { body: '{' })

    const statuses: number[] = []
    for (let index = 0; index < 11; index++) statuses.push((await malformed()).status)

    expect(statuses).to.deep.equal([...Array(10).fill(400), 429])
  })

  describe('in a cluster of its own', () => {
    let own: Cluster
    before(async function () {
      this.timeout(60_000)
      own = await privateCluster({ gateways: 0, workers: 0, edge: false, env: { RATE_LIMIT_MANAGE_PER_MINUTE: '15' } })
    })
    after(() => own.stop())

    it('gives a backend a limit of its own, on every route', async () => {
      const subject = randomUUID()
      const users = Array.from({ length: 3 }, () => createUser(own.api(0).url, own.jwtSecret))
      const [one, other, third] = users as [TestUser, TestUser, TestUser]
      const backend = one.api.as(mintManagerToken(own.jwtSecret, subject))

      const answers: ApiResponse<unknown>[] = []
      for (let index = 0; index < 12; index++)
        answers.push(await backend.initiate({ caller_id: one.id, callee_id: other.id }))
      answers.push(await backend.activeCalls(one.id), await backend.presence(one.id), await backend.iceServers())
      const refused = [await backend.history(one.id), await backend.status(randomUUID())]

      expect(answers.map((answer) => answer.status)).to.deep.equal([201, ...Array(11).fill(409), 200, 200, 200])
      for (const { status, headers } of refused) {
        expect(status).to.equal(429)
        expect(headers.get('ratelimit-limit')).to.equal('15')
      }
      const another = third.api.as(mintManagerToken(own.jwtSecret))
      expect((await another.activeCalls(one.id)).status).to.equal(200)
    })

    it('counts in each process while Redis is away, and refuses nobody for that', async () => {
      const user = createUser(own.api(0).url, own.jwtSecret)
      await own.stopRedis()

      const statuses: number[] = []
      const startedAt = performance.now()
      for (let index = 0; index < 11; index++)
        statuses.push((await user.api.initiate({ caller_id: user.id, callee_id: user.id })).status)
      const tookMs = performance.now() - startedAt
      await own.startRedis()

      expect(statuses).to.deep.equal([...Array(10).fill(400), 429])
      expect(tookMs).to.be.below(patient(3_000))
    }).timeout(30_000)

    it('waits at most a moment for a Redis that hangs', async () => {
      const user = createUser(own.api(0).url, own.jwtSecret)
      await own.kill('redis', 'SIGSTOP')

      const answers = await Promise.all(Array.from({ length: 5 }, () => user.api.setPresence({ status: 'online' })))
      await own.kill('redis', 'SIGCONT')

      expect(answers.map((answer) => answer.status)).to.deep.equal(Array(5).fill(200))
    }).timeout(30_000)
  })
})
