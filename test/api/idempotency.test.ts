import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { createUser, type TestUser } from '../support/api-client.ts'
import { sharedCluster } from '../support/clusters.ts'

describe('Idempotency-Key', () => {
  let cluster: Cluster
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })
  const user = (): TestUser => createUser(cluster.api(0).url, cluster.jwtSecret)
  /** The same user at the other API process. */
  const elsewhere = (someone: TestUser) => createUser(cluster.api(1).url, cluster.jwtSecret, { sub: someone.id })
  const bodyOf = (caller: TestUser) => ({ caller_id: caller.id, callee_id: randomUUID() })

  it('answers the same request with the first 201 again, from any process and long after', async () => {
    const caller = user()
    const body = bodyOf(caller)

    const first = await caller.api.initiate(body, 'key')
    const second = await elsewhere(caller).api.initiate(body, 'key')
    await caller.api.end(first.body.call_id)
    const third = await caller.api.initiate(body, 'key')

    expect([first.status, second.status, third.status]).to.deep.equal([201, 201, 201])
    expect(first.headers.get('idempotent-replayed')).to.equal(null)
    for (const replay of [second, third]) {
      expect(replay.body).to.deep.equal(first.body)
      expect(replay.headers.get('idempotent-replayed')).to.equal('true')
    }
  })

  it('compares what bodies say, not how they are written', async () => {
    const caller = user()
    const calleeId = randomUUID()
    const post = (body: string) =>
      caller.api.request<{ call_id: string }>('POST', '/api/v1/calls/initiate', {
        body,
        headers: { 'idempotency-key': 'key' },
      })

    const first = await post(`{"caller_id":"${caller.id}","callee_id":"${calleeId}","call_type":"voice"}`)
    const again = await post(`{ "call_type": "voice",\n "callee_id": "${calleeId}", "caller_id": "${caller.id}" }`)

    expect([first.status, again.status]).to.deep.equal([201, 201])
    expect(again.body.call_id).to.equal(first.body.call_id)
  })

  it('takes ids in any letter case, and an optional field at its default, for the same body', async () => {
    const caller = user()
    const calleeId = randomUUID()
    const post = (body: object) =>
      caller.api.request<{ call_id: string }>('POST', '/api/v1/calls/initiate', {
        body: { caller_id: caller.id, callee_id: calleeId, call_type: 'voice', ...body },
        headers: { 'idempotency-key': 'key' },
      })

    const answers = [
      await post({}),
      await post({ caller_id: caller.id.toUpperCase(), callee_id: calleeId.toUpperCase() }),
      await post({ on_glare: 'reject', device_id: null, decline_ringing: false }),
    ]
    const others = [await post({ device_id: 'phone' }), await post({ decline_ringing: true })]

    expect(answers.map(({ status }) => status)).to.deep.equal([201, 201, 201])
    expect(new Set(answers.map(({ body }) => body.call_id)).size).to.equal(1)
    for (const { status, error } of others) expect([status, error?.code]).to.deep.equal([409, 'CONFLICT'])
  })

  it('refuses another body with CONFLICT', async () => {
    const caller = user()
    const first = await caller.api.initiate(bodyOf(caller), 'key')
    await caller.api.end(first.body.call_id)

    const other = await elsewhere(caller).api.initiate(bodyOf(caller), 'key')

    expect([other.status, other.error?.code]).to.deep.equal([409, 'CONFLICT'])
  })

  it('belongs to one user', async () => {
    const [one, other] = [user(), user()]

    const first = await one.api.initiate(bodyOf(one), 'key')
    const second = await other.api.initiate(bodyOf(other), 'key')

    expect([first.status, second.status]).to.deep.equal([201, 201])
    expect(second.body.call_id).not.to.equal(first.body.call_id)
  })

  it('keeps only a 201: after a refusal the same key makes a call', async () => {
    const [caller, callee] = [user(), user()]
    const body = { caller_id: caller.id, callee_id: callee.id }
    await callee.api.setPresence({ status: 'offline' })
    const refused = await caller.api.initiate(body, 'key')
    await callee.api.setPresence({ status: 'online' })

    const made = await caller.api.initiate(body, 'key')

    expect([refused.status, made.status]).to.deep.equal([409, 201])
    expect(made.headers.get('idempotent-replayed')).to.equal(null)
  })

  it('lets twins that arrive at once make one call', async () => {
    const caller = user()
    const body = bodyOf(caller)

    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => (index % 2 ? caller : elsewhere(caller)).api.initiate(body, 'key')),
    )

    expect(answers.map((answer) => answer.status)).to.deep.equal(Array(10).fill(201))
    expect(new Set(answers.map((answer) => answer.body.call_id))).to.have.lengthOf(1)
    expect(answers.filter((answer) => answer.headers.get('idempotent-replayed') === null)).to.have.lengthOf(1)
  })

  it('does not count for the rate limit when it replays', async () => {
    const caller = user()
    const body = bodyOf(caller)
    await caller.api.initiate(body, 'key')

    for (let repeat = 0; repeat < 12; repeat++) {
      const replay = await caller.api.initiate(body, 'key')
      expect(replay.status).to.equal(201)
    }
    const fresh = await caller.api.initiate(bodyOf(caller))

    expect(fresh.status).to.equal(409)
  })

  for (const [what, key] of [
    ['an empty one', ''],
    ['one of 256 characters', 'k'.repeat(256)],
    ['one that is not ASCII', 'schlüssel'],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const caller = user()

      const refused = await caller.api.initiate(bodyOf(caller), key)

      expect([refused.status, refused.error?.code]).to.deep.equal([400, 'INVALID_REQUEST'])
      expect(refused.error?.details?.field).to.equal('Idempotency-Key')
    })
  }

  it('takes one of 255 printable characters', async () => {
    const caller = user()

    const made = await caller.api.initiate(bodyOf(caller), `~! ${'k'.repeat(252)}`)

    expect(made.status).to.equal(201)
  })
})
