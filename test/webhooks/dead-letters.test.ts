import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { createDatabase, type Database } from '../../core/platform/postgres.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { expectError } from '../api/expect-error.ts'
import { ApiClient, createUser, ring } from '../support/api-client.ts'
import { privateCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { mintToken } from '../support/tokens.ts'
import { webhookEnv } from './bench.ts'
import { Receiver } from './receiver.ts'

describe('dead letters over HTTP', () => {
  let cluster: Cluster
  let db: Database
  let operator: ApiClient
  const receiver = new Receiver()
  const other = new Receiver()
  before(async function () {
    this.timeout(60_000)
    await Promise.all([receiver.up(), other.up()])
    const env = webhookEnv([receiver, other], {
      WEBHOOK_URLS: `hook-1=${receiver.url}?key=topsecret,hook-2=${other.url}`,
      WEBHOOK_EVENTS: 'hook-2=call.failed',
      WEBHOOK_GIVE_UP_SECONDS: '0.3',
    })
    cluster = await privateCluster({ gateways: 0, edge: false, env })
    db = createDatabase({ url: cluster.env.DATABASE_URL ?? '', poolMax: 2, timeoutMs: 5000 }, 'test')
    operator = new ApiClient(
      cluster.api(0).url,
      mintToken(cluster.jwtSecret, { sub: randomUUID(), scope: 'calls:manage' }),
    )
  })
  beforeEach(async () => {
    await db.raw(`DELETE FROM webhook_deliveries`)
    receiver.behave = () => 204
  })
  after(async () => {
    await db?.destroy()
    await cluster?.stop()
    await Promise.all([receiver.down(), other.down()])
  })

  const user = () => createUser(cluster.api(0).url, cluster.jwtSecret)
  const letters = async (query?: Record<string, string | number>) =>
    (await operator.deadLetters(query)).body.dead_letters
  /** Calls that are missed, of which the receiver takes only what `takes` says. */
  async function missedCalls(count: number, takes: (type: string) => boolean): Promise<string[]> {
    receiver.behave = ({ event }) => (takes(event.type) ? 204 : 500)
    const ids: string[] = []
    for (let made = 0; made < count; made++) {
      const [caller, callee] = [user(), user()]
      const id = await ring(caller, callee)
      await callee.api.end(id, { user_id: callee.id })
      ids.push(id)
    }
    return ids
  }

  it('are seen, and hold up no later event of their call', async () => {
    const [callId = ''] = await missedCalls(1, (type) => type !== 'call.initiated')

    await eventually(() => expect(receiver.typesOf(callId)).to.deep.equal(['call.missed']))
    const [letter, ...more] = await letters()
    expect(more).to.deep.equal([])
    expect(letter).to.deep.include({
      endpoint: 'hook-1',
      event_id: `evt_${callId}_initiated`,
      type: 'call.initiated',
      call_id: callId,
      last_outcome: 'rejected',
      last_status: 500,
    })
    expect(letter?.attempts).to.be.at.least(1)
  })

  it('are sent again under their id, as if they were new', async () => {
    const [callId = ''] = await missedCalls(1, (type) => type !== 'call.initiated')
    const [letter] = await eventually(async () => {
      const found = await letters()
      expect(found).to.have.length(1)
      return found
    })
    receiver.behave = () => 204

    const replayed = await operator.replay(letter?.id ?? '')
    expect(replayed).to.deep.include({ status: 202, body: { replayed: 1 } })

    await eventually(() => expect(receiver.typesOf(callId)).to.have.members(['call.missed', 'call.initiated']))
    const again = receiver.taken.find(({ id }) => id === letter?.event_id)
    expect(again?.attempt).to.equal(1)
    expect(await letters()).to.deep.equal([])
    expectError(await operator.replay(letter?.id ?? ''), 404, 'NOT_FOUND')
  })

  it('die at once where the receiver says that it is gone', async () => {
    const [caller, callee] = [user(), user()]
    receiver.behave = () => 410

    const callId = await ring(caller, callee)

    await eventually(async () => {
      const [letter] = await letters()
      expect(letter).to.deep.include({ call_id: callId, attempts: 1, last_outcome: 'gone', last_status: 410 })
    })
  })

  it('are paged, filtered by endpoint, and replayed all together', async () => {
    const ids = await missedCalls(3, () => false)
    await eventually(async () => expect(await letters()).to.have.length(6))

    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await operator.deadLetters({ limit: 4, ...(cursor === undefined ? {} : { cursor }) })
      expect(page.body.pagination).to.deep.include({ limit: 4, total: 6 })
      seen.push(...page.body.dead_letters.map(({ event_id }) => event_id))
      cursor = page.body.pagination.next_cursor
    } while (cursor !== undefined)
    expect(seen).to.have.members(ids.flatMap((id) => [`evt_${id}_initiated`, `evt_${id}_missed`]))
    expect(await letters({ endpoint: 'hook-2' })).to.deep.equal([])
    receiver.behave = () => 204

    expect((await operator.replayAll({ endpoint: 'hook-2' })).body).to.deep.equal({ replayed: 0 })
    expect((await operator.replayAll()).body).to.deep.equal({ replayed: 6 })

    for (const id of ids)
      await eventually(() => expect(receiver.typesOf(id)).to.deep.equal(['call.initiated', 'call.missed']))
    expect(await letters()).to.deep.equal([])
  })

  it('of an endpoint that is not configured any more stay', async () => {
    const [callId = ''] = await missedCalls(1, (type) => type !== 'call.initiated')
    const [letter] = await eventually(async () => {
      const found = await letters()
      expect(found).to.have.length(1)
      return found
    })
    await db.raw(`UPDATE webhook_deliveries SET endpoint = 'gone' WHERE id = ?`, [letter?.id ?? ''])

    expectError(await operator.replay(letter?.id ?? ''), 409, 'CONFLICT')
    expect((await operator.replayAll()).body).to.deep.equal({ replayed: 0 })
    expect((await letters())[0]).to.deep.include({ endpoint: 'gone', call_id: callId })
  })

  it('are for operators alone', async () => {
    const { api } = user()

    expectError(await api.deadLetters(), 403, 'FORBIDDEN')
    expectError(await api.replay('1'), 403, 'FORBIDDEN')
    expectError(await api.replayAll(), 403, 'FORBIDDEN')
    expectError(await operator.as(undefined).deadLetters(), 401, 'UNAUTHORIZED')
  })

  it('are refused by what is wrong with the request', async () => {
    for (const [name, value] of Object.entries({ limit: 201, cursor: 'x', endpoint: '', status: 'dead' }))
      expectError(await operator.deadLetters({ [name]: value }), 400, 'INVALID_REQUEST')
    for (const id of ['0', 'abc', '-1', '9'.repeat(19)]) expectError(await operator.replay(id), 400, 'INVALID_REQUEST')
    expectError(await operator.replay('9'.repeat(18)), 404, 'NOT_FOUND')
    const wrong = await operator.request('POST', '/api/v1/webhooks/dead-letters/replay', { body: { endpoint: 1 } })
    expectError(wrong, 400, 'INVALID_REQUEST')
    const method = await operator.request('DELETE', '/api/v1/webhooks/dead-letters')
    expectError(method, 405, 'INVALID_REQUEST')
  })

  it('are counted, and neither secrets nor URLs are in the log', async () => {
    await missedCalls(1, () => false)
    const metrics = async () => (await fetch(`http://127.0.0.1:${cluster.worker(0).metricsPort}/metrics`)).text()

    await eventually(async () => {
      const text = await metrics()
      expect(text).to.match(/^webhook_dead_letters\{endpoint="hook-1",.*\} 2$/m)
      expect(text).to.match(/^webhook_dead_letters\{endpoint="hook-2",.*\} 0$/m)
      expect(text).to.match(/^webhook_given_up_total\{endpoint="hook-1",.*\} [1-9]/m)
      expect(text).to.match(/^webhook_attempts_total\{endpoint="hook-1",outcome="rejected",.*\} [1-9]/m)
    }, 15_000)
    const log = readFileSync(join(cluster.runDir, 'logs', 'worker-1.log'), 'utf8')
    expect(log).to.match(/"msg":"webhook given up"/)
    expect(log).to.not.match(/whsec_|topsecret|\/hook/)
  })
})
