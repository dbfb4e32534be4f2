/** What operators see with callctl, of real calls over two gateways. */
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { createDatabase, type Database } from '../../core/platform/postgres.ts'
import type { CallTimelineResponse } from '../../core/protocol/http.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { expectError } from '../api/expect-error.ts'
import { ApiClient } from '../support/api-client.ts'
import { joinBoth, newCall, newUser, openChannel } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { patient } from '../support/patience.ts'
import { mintManagerToken } from '../support/tokens.ts'
import { webhookEnv } from '../webhooks/bench.ts'
import { Receiver } from '../webhooks/receiver.ts'
import { callctl, callctlJson, spawnCallctl } from './callctl.ts'

interface NodeJson {
  node_id: string
  state: string
  live: boolean
  call_connections: number
  user_channels: number
  version: string
}
interface ConnectionJson {
  user_id: string
  kind: string
  call_id: string | null
  joined: boolean | null
  device: string | null
  node_id: string
}

describe('callctl shows', function () {
  this.timeout(40_000)
  let cluster: Cluster
  let db: Database
  let operator: ApiClient
  const receiver = new Receiver()

  before(async function () {
    this.timeout(60_000)
    await receiver.up()
    cluster = await privateCluster({
      edge: false,
      env: webhookEnv([receiver], { WEBHOOK_GIVE_UP_SECONDS: '0.3', NODE_BEAT_SECONDS: '0.5' }),
    })
    db = createDatabase({ url: cluster.env.DATABASE_URL ?? '', poolMax: 2, timeoutMs: 5000 }, 'test')
    operator = new ApiClient(cluster.api(0).url, mintManagerToken(cluster.jwtSecret))
  })
  after(async () => {
    await db?.destroy()
    await cluster?.stop()
    await receiver.down()
  })
  beforeEach(() => {
    receiver.behave = () => 204
  })

  const json = <T>(...args: string[]) => callctlJson<T>(cluster.env, ...args)
  const storyOf = (callId: string) => json<CallTimelineResponse>('timeline', callId)
  /** `caller joined`, `ended` and the like. */
  const plotOf = ({ entries }: CallTimelineResponse) =>
    entries
      .filter(({ source }) => source !== 'webhook')
      .map(({ role, event }) => [role, event].filter(Boolean).join(' '))

  it('the nodes, with what each serves', async () => {
    const call = await newCall(cluster)
    await joinBoth(call)
    await openChannel(cluster, newUser(cluster), 'raw', { at: 1 })

    await eventually(async () => {
      const { nodes } = await json<{ nodes: NodeJson[] }>('nodes')
      expect(nodes.map(({ node_id }) => node_id.split('.')[0])).to.deep.equal(['gateway-1', 'gateway-2'])
      for (const node of nodes) expect(node).to.deep.include({ state: 'serving', live: true, version: '1.0.0' })
      expect(nodes.map((node) => [node.call_connections, node.user_channels])).to.deep.equal([
        [1, 0],
        [1, 1],
      ])
    })
    const { stdout } = await spawnCallctl(cluster.env, 'nodes')
    const [header, ...lines] = stdout.trimEnd().split('\n')
    expect(header).to.match(/^NODE +STATE +LAST BEAT +UP +CALL CONNECTIONS +USER CHANNELS +VERSION$/)
    expect(lines).to.have.length(2)
    for (const line of lines) expect(line).to.match(/^gateway-\d\.[0-9a-f]{8} {2}serving +[\d.]+s ago +[\d.]+s/)
  })

  it('a node that was killed as dead, until it is buried', async () => {
    const lonely = await privateCluster({ edge: false, workers: 0, gateways: 1, restart: false })
    const before = await callctlJson<{ nodes: NodeJson[] }>(lonely.env, 'nodes')
    await lonely.kill('gateway-1', 'SIGKILL')

    await eventually(async () => {
      const { nodes } = await callctlJson<{ nodes: NodeJson[] }>({ ...lonely.env, NODE_LEASE_SECONDS: '2.1' }, 'nodes')
      expect(nodes).to.have.length(1)
      expect(nodes[0]).to.deep.include({ node_id: before.nodes[0]?.node_id, state: 'dead', live: false })
    })
    await lonely.stop()
  })

  it('the connections of a call, a user and a node', async () => {
    const call = await newCall(cluster, { callerClaims: { device_id: 'laptop' } })
    await joinBoth(call)
    await call.callee.connect('socketio')
    const channel = await openChannel(cluster, call.callee.user, 'raw', { at: 1 })

    const ofCall = await json<{ connections: ConnectionJson[] }>('connections', '--call', call.id)
    expect(
      ofCall.connections.map((row) => [row.user_id, row.joined, row.device, row.node_id.split('.')[0]]),
    ).to.have.deep.members([
      [call.caller.id, true, 'laptop', 'gateway-1'],
      [call.callee.id, true, null, 'gateway-2'],
      [call.callee.id, false, null, 'gateway-2'],
    ])
    const ofUser = await json<{ connections: ConnectionJson[] }>('connections', '--user', channel.userId)
    expect(ofUser.connections.map(({ kind }) => kind)).to.have.members(['call', 'call', 'user'])
    const ofNode = await json<{ connections: ConnectionJson[] }>('connections', '--node', 'gateway-2')
    expect(ofNode.connections.filter(({ user_id }) => user_id === channel.userId)).to.have.length(3)
    expect(ofNode.connections.map(({ node_id }) => node_id.split('.')[0])).not.to.include('gateway-1')
    const { stdout } = await callctl(cluster.env, 'connections', '--user', call.caller.id)
    expect(stdout).to.match(new RegExp(`${call.caller.id} +call +${call.id} +yes +laptop +gateway-1`))
  })

  it('the live call and the history of a user', async () => {
    const missed = await newCall(cluster)
    await missed.end()
    const { user } = missed.caller
    const live = await newCall(cluster, { caller: user })
    await live.answer()

    const shown = await json<{ live: Record<string, unknown>[]; history: Record<string, unknown>[] }>('calls', user.id)
    expect(shown.live).to.have.length(1)
    expect(shown.live[0]).to.include({
      call_id: live.id,
      status: 'active',
      role: 'caller',
      other_user_id: live.callee.id,
    })
    expect(shown.history).to.have.length(1)
    expect(shown.history[0]).to.include({ call_id: missed.id, status: 'missed', end_reason: 'canceled', duration: 0 })
    const { stdout } = await callctl(cluster.env, 'calls', user.id)
    expect(stdout)
      .to.match(new RegExp(`${live.id} +active`))
      .and.to.match(new RegExp(`${missed.id} +missed`))
  })

  it('the whole story of a call, after it and to support over HTTP alike', async () => {
    receiver.behave = ({ event }) => (event.type === 'call.answered' ? 500 : 204)
    const call = await newCall(cluster, { type: 'video' })
    await call.callee.user.api.ringing(call.id)
    await call.answer('phone')
    const phone = { token: call.callee.tokenWith({ device_id: 'phone' }) }
    const caller = await call.caller.joinAs('raw')
    const callee = await call.callee.joinAs('socketio', phone)
    await caller.sendAndAck(caller.offerMessage('v=0 not to be kept'))
    await callee.next('offer')
    await callee.sendAndAck(callee.answerMessage('v=0 not to be kept'))
    for (const candidate of ['candidate:secret', '']) await callee.sendAndAck(callee.candidateMessage(candidate))
    await callee.sendAndAck(callee.stateMessage('connected', { stats: { candidate_type: 'relay' } }))
    await caller.terminate()
    await call.caller.joinAs('raw')
    const ended = await call.callee.user.api.end(call.id, { user_id: call.callee.id })
    expect(ended.status).to.equal(200)

    const story = await eventually(async () => {
      const told = await storyOf(call.id)
      expect(plotOf(told)).to.include.members(['callee left', 'caller left'])
      const events = told.entries.map(({ event }) => event)
      expect(events).to.include.members(['end_requested', 'webhook_delivered', 'webhook_dead'])
      // It is told once more, over HTTP, and must not have gone on.
      expect(events).not.to.include('webhook_pending')
      return told
    })
    // What happens on two nodes within a few milliseconds may be told in either order; what one side does, may not.
    const plotOfRole = (role?: string) =>
      story.entries.filter((entry) => entry.source !== 'webhook' && entry.role === role)
    const eventsOf = (role?: string) => plotOfRole(role).map(({ event }) => event)
    expect(eventsOf('caller')).to.deep.equal(['created', 'joined', 'offer', 'lost', 'joined', 'left'])
    const ofCallee = eventsOf('callee')
    expect(ofCallee.slice(0, 5)).to.deep.equal(['ringing', 'answered', 'joined', 'answer', 'reported'])
    expect(ofCallee.slice(5)).to.have.members(['end_requested', 'left'])
    expect(eventsOf(undefined)).to.deep.equal(['ended'])
    expect(story.entries.map(({ offset_ms }) => offset_ms)).to.deep.equal(
      story.entries.map(({ offset_ms }) => offset_ms).sort((one, other) => one - other),
    )
    const find = (event: string, role?: string) =>
      story.entries.find((entry) => entry.event === event && (role === undefined || entry.role === role))
    expect(find('answered')).to.include({ device: 'phone' })
    expect(find('joined', 'callee')).to.include({ transport: 'socketio', device: 'phone' })
    expect(find('joined', 'callee')?.node).to.match(/^gateway-2\./)
    expect(find('reported')).to.include({ detail: 'connected relay' })
    expect(find('left', 'callee')).to.include({ candidates: 2 })
    expect(find('ended')?.text).to.match(/^ended after \d+ s: a participant hung up \(hangup\)/)
    expect(find('webhook_dead')).to.include({ webhook_type: 'call.answered', endpoint: 'hook-1', last_status: 500 })
    for (const entry of story.entries.filter(({ source }) => source === 'call'))
      if (entry.event !== 'end_requested') expect(entry.published_after_ms, entry.event).to.be.within(0, patient(5000))
    const text = (await callctl(cluster.env, 'timeline', call.id)).stdout
    expect(text).to.match(/\n *\+\d+\.\d{3} s {2}callee +joined on gateway-2\.\w+ over socketio, device phone\n/)
    expect(text + JSON.stringify(story)).not.to.match(/not to be kept|candidate:secret/)
    const overHttp = await operator.timeline(call.id)
    expect(overHttp.body.entries).to.deep.equal(story.entries)
    expectError(await call.caller.user.api.timeline(call.id), 403, 'FORBIDDEN')
    expectError(await operator.timeline(randomUUID()), 404, 'CALL_NOT_FOUND')
  })

  it('of a live call who is connected now, and something even of a call of long ago', async () => {
    const call = await newCall(cluster)
    await call.caller.joinAs('raw')
    const live = await json<{ connections: ConnectionJson[] }>('timeline', call.id)
    expect(live.connections.map(({ user_id }) => user_id)).to.deep.equal([call.caller.id])
    await call.end()
    await eventually(async () =>
      expect(plotOf(await storyOf(call.id))).to.include.members(['caller left', 'caller end_requested']),
    )
    await db.raw('DELETE FROM outbox WHERE call_id = ?', [call.id])
    await db.raw('DELETE FROM call_journal WHERE call_id = ?', [call.id])

    const old = await storyOf(call.id)
    expect(plotOf(old)).to.deep.equal(['caller created', 'ended'])
    expect(old.entries.find(({ event }) => event === 'ended')?.text).to.equal(
      'ended: the caller hung up before an answer (canceled)',
    )
  })

  it('a connection that never joined, and notes no more than is good of one that joins in a loop', async () => {
    const call = await newCall(cluster)
    const idle = await call.callee.connect('raw')
    await idle.close()
    const busy = await call.caller.connect('raw')
    for (let turn = 0; turn < 80; turn++) {
      busy.send(busy.joinMessage())
      busy.leave()
    }
    await eventually(() => expect(busy.all('user-joined').length).to.be.above(55))
    await call.end()

    await eventually(async () => {
      const { entries } = await storyOf(call.id)
      expect(entries.find(({ role, event }) => role === 'callee' && event === 'left')?.detail).to.equal('never joined')
      expect(entries.filter(({ source }) => source === 'room').length).to.be.within(99, 101)
    })
  })
})
