import { randomUUID } from 'node:crypto'
import { connect as connectTcp } from 'node:net'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { type ApiResponse, connect, createUser, ring, type TestUser } from '../support/api-client.ts'
import { privateCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'

describe('the API while parts are away', () => {
  let cluster: Cluster
  const lines: string[] = []
  before(async function () {
    this.timeout(60_000)
    cluster = await privateCluster({
      gateways: 1,
      workers: 1,
      edge: false,
      // A pool of two is quickly exhausted, and no request waits long for it.
      env: { DATABASE_POOL_MAX: '2', DATABASE_TIMEOUT_SECONDS: '1' },
      log: (name, line) => {
        if (name === 'api-1') lines.push(line)
      },
    })
  })
  after(() => cluster.stop())
  const user = (): TestUser => createUser(cluster.api(0).url, cluster.jwtSecret)
  const ready = async () =>
    (await fetch(`http://127.0.0.1:${cluster.api(0).metricsPort}/health/ready`)).text().then((text) => text.trim())
  const metric = async (pattern: RegExp) => {
    const text = await (await fetch(`http://127.0.0.1:${cluster.api(0).metricsPort}/metrics`)).text()
    return text.split('\n').filter((line) => pattern.test(line))
  }

  function expectUnavailable(answer: ApiResponse<unknown>): void {
    expect([answer.status, answer.error?.code], answer.text).to.deep.equal([503, 'SERVICE_UNAVAILABLE'])
    expect(answer.headers.get('retry-after')).to.equal('1')
  }

  it('answers 503 on every route while Postgres is away, stays ready, and goes on by itself', async () => {
    const [caller, callee] = [user(), user()]
    const callId = await ring(caller, callee)
    const pid = cluster.api(0).pid
    await cluster.stopPostgres()

    const other = user()
    const answers = await Promise.all([
      other.api.initiate({ caller_id: other.id, callee_id: randomUUID() }),
      other.api.initiate({ caller_id: other.id, callee_id: randomUUID() }, 'key'),
      callee.api.answer(callId, { user_id: callee.id }),
      caller.api.end(callId),
      caller.api.status(callId),
      caller.api.activeCalls(caller.id),
      caller.api.history(caller.id),
      caller.api.presence(callee.id),
      caller.api.checkPresence(callee.id),
      caller.api.setPresence({ status: 'online', call_id: callId }),
    ])
    for (const answer of answers) expectUnavailable(answer)
    expect(await ready()).to.equal('ready')
    // What needs no database is untouched, and what can be refused without it is refused.
    expect((await caller.api.iceServers()).status).to.equal(200)
    expect((await caller.api.as('x').status(callId)).status).to.equal(401)
    expect((await caller.api.status('x')).status).to.equal(400)

    await cluster.startPostgres()
    await eventually(async () => expect((await caller.api.status(callId)).status).to.equal(200))
    expect((await callee.api.answer(callId, { user_id: callee.id })).status).to.equal(200)
    expect((await caller.api.end(callId)).status).to.equal(200)
    expect(cluster.api(0).pid).to.equal(pid)
  }).timeout(30_000)

  it('hides a restart of Postgres between two requests', async () => {
    const [caller, callee] = [user(), user()]
    const callId = await connect(caller, callee)
    await cluster.stopPostgres()
    await cluster.startPostgres()

    const answers = [
      await caller.api.status(callId),
      await caller.api.presence(callee.id),
      await caller.api.history(caller.id),
      await caller.api.end(callId),
    ]

    expect(answers.map(({ status }) => status)).to.deep.equal([200, 200, 200, 200])
  }).timeout(30_000)

  it('answers 503 when no connection to Postgres is free in time', async () => {
    const { Client } = await import('pg')
    const blocker = new Client({ connectionString: cluster.description.postgres.url })
    await blocker.connect()
    await blocker.query('BEGIN')
    await blocker.query('LOCK TABLE user_presence')
    const viewer = user()

    const answers = await Promise.all(Array.from({ length: 12 }, () => viewer.api.presence(randomUUID())))
    await blocker.query('ROLLBACK')
    await blocker.end()

    expect(answers.filter(({ status }) => status === 503)).to.have.length.of.at.least(8)
    for (const answer of answers) if (answer.status !== 200) expectUnavailable(answer)
    await eventually(async () => expect((await viewer.api.presence(randomUUID())).status).to.equal(200))
  }).timeout(30_000)

  it('makes, answers and ends calls while Redis is away', async () => {
    const [caller, callee] = [user(), user()]
    await cluster.stopRedis()

    const callId = await ring(caller, callee)
    const ringing = await caller.api.status(callId)
    const answered = await callee.api.answer(callId, { user_id: callee.id })
    const active = await caller.api.activeCalls(caller.id)
    const ended = await caller.api.end(callId)
    const past = await callee.api.history(callee.id)
    const ticket = await caller.api.socketTicket()
    await cluster.startRedis()
    expectUnavailable(ticket)

    expect(ringing.body.participants.map((participant) => participant.connection_status)).to.deep.equal([
      'connecting',
      'connecting',
    ])
    expect([answered.status, active.body.active_calls.length, ended.status]).to.deep.equal([200, 1, 200])
    expect(past.body.calls[0]).to.include({ call_id: callId, status: 'completed' })
    expect((await caller.api.detailedHealth()).status).to.equal(200)
  }).timeout(30_000)

  it('logs one line a request, with ids and no secret, and counts it by route', async () => {
    const someone = user()
    const callId = randomUUID()
    const requestId = randomUUID()
    const path = `/api/v1/calls/${callId}/status?token=${someone.token}`

    await someone.api.request('GET', path, { headers: { 'x-request-id': requestId } })

    const found = await eventually(() => {
      const own = lines.filter((line) => line.includes(requestId))
      expect(own).to.have.lengthOf(1)
      return JSON.parse(own[0] ?? '') as Record<string, unknown>
    })
    expect(found).to.include({
      level: 'info',
      role: 'api',
      requestId,
      method: 'GET',
      route: '/api/v1/calls/:call_id/status',
      status: 404,
      userId: someone.id,
      callId,
    })
    expect(found.ms).to.be.a('number')
    expect(lines.join('\n')).not.to.contain(someone.token)
    const counted = await metric(/^http_requests_total\{.*route="\/api\/v1\/calls\/:call_id\/status",status="404"/)
    expect(counted).to.have.lengthOf(1)
    expect(await metric(/^http_request_duration_seconds_bucket/)).not.to.be.empty
    expect((await metric(/./)).join('\n')).not.to.contain(callId)
  })

  it('finishes requests on SIGTERM, then ends with everything closed', async () => {
    const { Client } = await import('pg')
    const blocker = new Client({ connectionString: cluster.description.postgres.url })
    await blocker.connect()
    await blocker.query('BEGIN')
    await blocker.query('LOCK TABLE user_presence')
    const someone = user()
    const { pid, port } = cluster.api(0)
    // An idle keep-alive connection must not hold the process up.
    const idle = connectTcp(port, '127.0.0.1')
    idle.on('error', () => {})
    await new Promise<void>((resolve) => idle.once('connect', () => resolve()))
    const underWay = someone.api.setPresence({ status: 'online' })
    await eventually(async () => {
      const { rows } = await blocker.query(`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'`)
      expect(rows).not.to.be.empty
    })

    await cluster.kill('api-1', 'SIGTERM')
    await eventually(() => refuses(port))
    await blocker.query('COMMIT')
    const answer = await underWay
    await blocker.end()

    expect(answer.status).to.equal(200)
    await cluster.waitReady('api-1')
    await eventually(() => expect(cluster.api(0).pid).to.be.a('number').that.does.not.equal(pid))
    const steps = lines.filter((line) => line.includes('"shutdown step done"')).map((line) => JSON.parse(line).step)
    expect(steps).to.deep.equal([
      'stop being ready',
      'finish requests',
      'publish events',
      'close probes',
      'close redis',
      'close postgres',
    ])
  }).timeout(30_000)
})

/** @throws while somebody listens on the port */
function refuses(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1', () => {
      socket.destroy()
      reject(new Error('it still accepts connections'))
    })
    socket.once('error', () => resolve())
  })
}
