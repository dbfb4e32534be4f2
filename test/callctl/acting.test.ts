/** What operators do with callctl to a real cluster, and what it says when it cannot. */
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { findFreePort } from '../../dev/cluster/ports.ts'
import { ApiClient } from '../support/api-client.ts'
import { joinBoth, newCall, newUser, openChannel } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { refusalOf } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'
import { webhookEnv } from '../webhooks/bench.ts'
import { Receiver } from '../webhooks/receiver.ts'
import { callctl, callctlJson, spawnCallctl } from './callctl.ts'

describe('callctl', function () {
  this.timeout(40_000)
  let cluster: Cluster
  const receiver = new Receiver()
  before(async function () {
    this.timeout(60_000)
    await receiver.up()
    cluster = await privateCluster({
      edge: false,
      env: webhookEnv([receiver], {
        WEBHOOK_GIVE_UP_SECONDS: '0.3',
        NODE_BEAT_SECONDS: '0.5',
        DRAIN_WINDOW_SECONDS: '0.2',
      }),
    })
  })
  after(async () => {
    await cluster?.stop()
    await receiver.down()
  })
  beforeEach(() => {
    receiver.behave = () => 204
  })

  const run = (...args: string[]) => callctl(cluster.env, ...args)
  const json = <T>(...args: string[]) => callctlJson<T>(cluster.env, ...args)

  it('ends a call as a participant would, and keeps why', async () => {
    const call = await newCall(cluster)
    await call.answer()
    const { caller, callee } = await joinBoth(call)
    const ended = await json('end', call.id, '--note', 'stuck, ticket 4711')

    expect(ended).to.include({ call_id: call.id, status: 'ended', end_reason: 'timeout', told: true })
    for (const peer of [caller, callee]) {
      expect(await peer.next((message) => message.type === 'call-status' && message.status === 'ended')).to.include({
        end_reason: 'timeout',
      })
      expect((await peer.closed).code).to.equal(1000)
    }
    const history = await call.callee.user.api.history(call.callee.id)
    expect(history.body.calls[0]).to.include({ call_id: call.id, status: 'completed', end_reason: 'timeout' })
    expect((await run('timeline', call.id)).stdout).to.contain(
      'operator  an operator ended the call: stuck, ticket 4711',
    )
    expect(await run('end', call.id)).to.deep.equal({
      code: 1,
      stdout: '',
      stderr: 'callctl: Cannot perform action on ended call\n',
    })
  })

  it('hangs up in the name of a side', async () => {
    const call = await newCall(cluster)
    const ended = await json('end', call.id, '--reason', 'user_hangup', '--as', 'callee')

    expect(ended).to.include({ status: 'ended', end_reason: 'declined' })
  })

  it('ends a call while it cannot reach Redis; a worker tells the users', async () => {
    const call = await newCall(cluster)
    const channel = await openChannel(cluster, call.callee.user)
    await channel.next('incoming-call')
    const env = { ...cluster.env, REDIS_URL: `redis://127.0.0.1:${await findFreePort()}` }
    const { code, stdout } = await callctl(env, 'end', call.id)

    expect(code).to.equal(0)
    expect(stdout).to.contain('Redis is away: a worker tells the users when it is back.')
    expect(await channel.next('call-status')).to.include({ status: 'ended', end_reason: 'no_answer' })
  })

  it('drains a node, which stays and serves nobody, and ends one', async function () {
    this.timeout(60_000)
    const call = await newCall(cluster)
    await call.answer()
    const { caller, callee } = await joinBoth(call)
    const pid = cluster.gateway(0).pid
    const drained = await run('drain', 'gateway-1')

    expect(drained.code).to.equal(0)
    expect(drained.stdout).to.match(/^gateway-1\.\w+ drained\n$/)
    expect((await caller.closed).code).to.equal(1012)
    const refusal = await refusalOf('raw', call.caller.optionsFor({ at: 0 }))
    expect(refusal).to.include({ status: 503, code: 'SERVICE_UNAVAILABLE' })
    const { nodes } = await json<{ nodes: { node_id: string; state: string }[] }>('nodes')
    expect(nodes.map(({ state }) => state)).to.deep.equal(['drained', 'serving'])
    const probe = `http://127.0.0.1:${cluster.gateway(0).metricsPort}`
    expect((await fetch(`${probe}/health/ready`)).status).to.equal(404)
    expect((await fetch(`${probe}/health/live`)).status).to.equal(200)
    const back = await call.caller.joinAs('raw', { at: 1 })
    back.offer('v=0 after the drain')
    expect(await callee.next('offer')).to.include({ sdp: 'v=0 after the drain' })
    await callee
      .next((message) => message.type === 'user-left', 50)
      .then(
        () => expect.fail('the caller had left for nobody'),
        () => {},
      )

    // The supervisor starts it anew, under another id.
    const { state } = await json<{ state: string }>('drain', nodes[0]?.node_id ?? '', '--exit')
    expect(state).to.equal('ended')
    await eventually(() => expect(cluster.gateway(0).pid).to.be.a('number').and.not.equal(pid))
    await cluster.waitReady('gateway-1')
    expect(await run('drain', nodes[0]?.node_id ?? '')).to.include({ code: 1, stdout: '' })
  })

  it('lists dead letters and sends them again', async () => {
    receiver.behave = ({ event }) => (event.type === 'call.initiated' ? 500 : 204)
    const call = await newCall(cluster)
    type Letters = { dead_letters: { id: string; call_id: string; type: string; last_status: number }[] }
    const letter = await eventually(async () => {
      const found = (await json<Letters>('dead-letters')).dead_letters.find(({ call_id }) => call_id === call.id)
      expect(found).to.include({ type: 'call.initiated', last_status: 500 })
      return found
    })
    expect((await run('dead-letters', '--endpoint', 'hook-1')).stdout).to.contain(`call.initiated  ${call.id}`)
    receiver.behave = () => 204
    expect(await json('dead-letters', 'replay', letter?.id ?? '')).to.deep.equal({ replayed: 1 })
    await eventually(() => expect(receiver.typesOf(call.id)).to.include('call.initiated'))
    expect((await run('dead-letters', 'replay', letter?.id ?? '')).code).to.equal(1)
    expect((await run('dead-letters', 'replay', '--all', '--endpoint', 'hook-9')).code).to.equal(1)
    expect((await run('dead-letters', 'replay', '--all')).code).to.equal(0)
    await call.end()
  })

  it('mints a token that the API takes', async () => {
    const user = newUser(cluster).id
    const { stdout } = await run('token', '--user', user, '--device', 'phone', '--scope', 'calls:manage', '--ttl', '60')
    const api = new ApiClient(cluster.api(0).url, stdout.trim())

    expect((await api.history(user)).status).to.equal(200)
    expect((await api.history(randomUUID())).status).to.equal(200)
    const { code, stderr } = await callctl({ ...cluster.env, JWT_SECRET: '' }, 'token')
    expect([code, stderr]).to.deep.equal([
      2,
      'callctl: JWT_SECRET is not set: tokens are signed by your auth service, ask it for one.\n',
    ])
  })

  it('says which store is away, and never a password', async function () {
    this.timeout(30_000)
    const closed = await findFreePort()
    const away = {
      ...cluster.env,
      DATABASE_URL: `postgres://somebody:topsecret@127.0.0.1:${closed}/calls`,
      REDIS_URL: `redis://somebody:topsecret@127.0.0.1:${closed}`,
      DATABASE_TIMEOUT_SECONDS: '1',
    }
    const cases: [string, ...string[]][] = [
      ['Redis', 'nodes'],
      ['Redis', 'connections', '--user', randomUUID()],
      ['Redis', 'drain', 'gateway-1'],
      ['Postgres', 'calls', randomUUID()],
      ['Postgres', 'timeline', randomUUID()],
      ['Postgres', 'end', randomUUID()],
      ['Postgres', 'dead-letters'],
    ]
    await Promise.all(
      cases.map(async ([store, ...args]) => {
        const { code, stdout, stderr } = await callctl(away, ...args)
        expect([code, stdout, stderr.length > 0], args.join(' ')).to.deep.equal([3, '', true])
        expect(stderr).to.match(new RegExp(`^callctl: ${store} at 127\\.0\\.0\\.1:${closed}(/calls)?: .+\\n$`))
        expect(stderr).not.to.contain('topsecret')
      }),
    )
    const wrong = new URL(cluster.env.DATABASE_URL ?? '')
    wrong.pathname = '/nothing-here'
    const refused = await callctl({ ...cluster.env, DATABASE_URL: wrong.href }, 'calls', randomUUID())
    expect(refused.code).to.be.oneOf([1, 3])
    expect(refused.stderr).to.contain('nothing-here')
  })

  it('explains every command, and what it does not understand', async () => {
    const { code, stdout } = await spawnCallctl({}, '--help')
    expect(await spawnCallctl({}, 'nodes', 'x')).to.include({ code: 2, stdout: '' })
    expect(code).to.equal(0)
    const names = ['nodes', 'connections', 'calls', 'timeline', 'end', 'drain', 'dead-letters', 'token']
    for (const name of names) {
      expect(stdout).to.match(new RegExp(`^ {2}${name}`, 'm'))
      const help = await callctl({}, name, '--help')
      expect(help.code).to.equal(0)
      expect(help.stdout)
        .to.match(new RegExp(`^usage: callctl ${name}`))
        .and.to.contain('--json')
    }
    for (const [args, complaint] of [
      [['dance'], 'There is no command "dance"'],
      [['timeline'], 'Say one call'],
      [['timeline', 'x'], 'The call must be a UUID'],
      [['nodes', '--fast'], "Unknown option '--fast'"],
      [['connections'], 'Say one of --call, --user and --node'],
      [['calls', randomUUID(), '--limit', '0'], '--limit must be a whole number from 1 to 200'],
      [['end', randomUUID(), '--reason', 'boredom'], '--reason must be one of'],
      [['end', randomUUID(), '--as', 'callee'], '--as goes with --reason user_hangup'],
      [['dead-letters', 'replay'], 'Say the id of one dead letter, or --all'],
    ] as const) {
      const ran = await run(...args)
      expect([ran.code, ran.stdout], args.join(' ')).to.deep.equal([2, ''])
      expect(ran.stderr).to.contain(complaint)
    }
  })
})
