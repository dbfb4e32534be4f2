/** Calls in two groups of one deployment, and what becomes of one group's when the other's Redis is away. */
import { expect } from 'chai'
import { createDatabase, type Database } from '../../core/platform/postgres.ts'
import { callctl, callctlJson } from '../callctl/callctl.ts'
import { createUser, type TestUser } from '../support/api-client.ts'
import { openChannel } from '../support/calls.ts'
import { connectPeer, refusalOf } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'
import { shortSeconds } from '../support/patience.ts'
import type { Peer } from '../support/peer.ts'
import { GATEWAYS, GROUPS, type GroupName, startTwoGroups, type TwoGroups } from './two-groups.ts'

/** A call of a wanted group, with its users and where they connect. */
interface GroupCall {
  id: string
  signalingUrl: string
  caller: TestUser
  callee: TestUser
}

describe('two groups', function () {
  this.timeout(60_000)
  let groups: TwoGroups
  let db: Database
  before(async () => {
    groups = await startTwoGroups({
      NODE_BEAT_SECONDS: '0.25',
      NODE_LEASE_SECONDS: shortSeconds(2),
      RECONNECT_GRACE_SECONDS: '0.5',
      LOST_PEERS_TIMEOUT_SECONDS: '1',
      SWEEP_INTERVAL_SECONDS: '0.1',
      RATE_LIMIT_INITIATE_PER_MINUTE: '1000',
    })
    db = createDatabase({ url: groups.cluster.env.DATABASE_URL ?? '', poolMax: 2, timeoutMs: 5000 }, 'test')
  })
  after(async () => {
    await db?.destroy()
    await groups?.stop()
  })

  const newUser = () => createUser(groups.cluster.api(0).url, groups.cluster.jwtSecret)

  /** Calls until one lives in the group. */
  async function callIn(group: GroupName, caller = newUser(), callee = newUser()): Promise<GroupCall> {
    for (;;) {
      const { status, body, text } = await caller.api.initiate({ caller_id: caller.id, callee_id: callee.id })
      if (status !== 201) throw new Error(`initiate answered ${status}: ${text}`)
      const { call_id: id, signaling_url: signalingUrl } = body
      if (groups.groupOf(signalingUrl) === group) return { id, signalingUrl, caller, callee }
      await caller.api.end(id)
    }
  }

  /** A connection where the call's address leads to, or to one of the group's gateways, that has joined. */
  async function join(call: GroupCall, who: 'caller' | 'callee', gateway?: number): Promise<Peer> {
    const [user, other] = who === 'caller' ? [call.caller, call.callee] : [call.callee, call.caller]
    const url = gateway === undefined ? call.signalingUrl.replace('ws', 'http') : groups.cluster.gateway(gateway).url
    const peer = await connectPeer('raw', {
      url,
      userId: user.id,
      callId: call.id,
      otherId: other.id,
      token: user.token,
    })
    await peer.join()
    return peer
  }

  const answer = async ({ id, callee }: GroupCall) =>
    expect((await callee.api.answer(id, { user_id: callee.id })).status).to.equal(200)
  const over = (peer: Peer) =>
    peer.next((message) => message.type === 'call-status' && ['ended', 'failed'].includes(message.status))

  it('take calls side by side', async () => {
    const seen = new Set<GroupName>()
    for (let made = 0; seen.size < 2 && made < 60; made++) {
      const [caller, callee] = [newUser(), newUser()]
      const { body } = await caller.api.initiate({ caller_id: caller.id, callee_id: callee.id })
      seen.add(groups.groupOf(body.signaling_url))
      await caller.api.end(body.call_id)
    }
    expect([...seen]).to.have.members([...GROUPS])
  })

  for (const name of GROUPS)
    it(`ring, connect, relay between two gateways and end in group ${name}`, async () => {
      const callee = newUser()
      const channel = await openChannel(groups.cluster, callee)
      const call = await callIn(name, newUser(), callee)
      const ring = await channel.next((message) => message.type === 'incoming-call' && message.call_id === call.id)
      expect(ring).to.include({ signaling_url: call.signalingUrl })
      const caller = await join(call, 'caller', GATEWAYS[name][0])
      channel.send(channel.ringingMessage(call.id))
      await caller.next((message) => message.type === 'call-status' && message.ring_state === 'ringing')
      await answer(call)
      await caller.next((message) => message.type === 'call-status' && message.status === 'active')
      await channel.next((message) => message.type === 'call-status' && message.status === 'active')
      const peer = await join(call, 'callee', GATEWAYS[name][1])
      caller.offer('v=0 over the group')
      expect(await peer.next('offer')).to.include({ sdp: 'v=0 over the group' })
      const second = await join(call, 'callee')
      expect((await second.sendAndAck(second.answerMessage('v=0 through the edge'))).ok).to.equal(true)
      expect(await caller.next('answer')).to.include({ sdp: 'v=0 through the edge' })

      const shown = await call.caller.api.status(call.id)
      expect(shown.body.participants.map((one) => one.connection_status)).to.deep.equal(['connected', 'connected'])
      expect((await call.caller.api.checkPresence(call.caller.id)).body).to.include({ status: 'online', in_call: true })
      await call.callee.api.end(call.id, { user_id: call.callee.id })
      for (const one of [caller, peer, second, channel]) await over(one)
      for (const one of [caller, peer, second]) expect((await one.closed).code).to.equal(1000)
      const history = await call.caller.api.history(call.caller.id)
      expect(history.body.calls[0]).to.include({ call_id: call.id, status: 'completed' })
    })

  it('serve a raw client that comes to the wrong one, through it', async () => {
    const call = await callIn('two')
    const { url } = groups.cluster.gateway(0)
    const strayed = await connectPeer('raw', {
      url,
      userId: call.caller.id,
      callId: call.id,
      otherId: call.callee.id,
      token: call.caller.token,
    })
    await strayed.join()
    await answer(call)
    const callee = await join(call, 'callee')
    strayed.offer('v=0 from astray')
    expect(await callee.next('offer')).to.include({ sdp: 'v=0 from astray' })
    expect((await callee.sendAndAck(callee.answerMessage('v=0 back'))).ok).to.equal(true)
    expect(await strayed.next('answer')).to.include({ sdp: 'v=0 back' })
    await call.caller.api.end(call.id)
    await over(strayed)
    expect((await strayed.closed).code).to.equal(1000)
    // Refusals come through as they are.
    const refused = await refusalOf('raw', { url, userId: call.caller.id, callId: call.id, token: call.caller.token })
    expect(refused).to.include({ status: 409, code: 'CALL_ALREADY_ENDED' })
    const user = newUser()
    const channel = await connectPeer('raw', { url: groups.origins.two, userId: user.id, token: user.token })
    const rung = await callIn('one', newUser(), user)
    await channel.next((message) => message.type === 'incoming-call' && message.call_id === rung.id)
  })

  it('take a ticket once, also of a raw client that comes to the wrong one', async () => {
    const call = await callIn('two')
    const { body } = await call.caller.api.socketTicket()
    const options = { userId: call.caller.id, callId: call.id, ticket: body.ticket }

    const strayed = await connectPeer('raw', { url: groups.cluster.gateway(0).url, ...options })

    await strayed.join()
    for (const url of Object.values(groups.origins))
      expect(await refusalOf('raw', { url, ...options })).to.include({ status: 401, code: 'UNAUTHORIZED' })
    const user = newUser()
    const { ticket } = (await user.api.socketTicket()).body
    await connectPeer('raw', { url: groups.origins.two, userId: user.id, ticket })
  })

  it('tell a Socket.IO client of the wrong one where to go, and a stranger nothing', async () => {
    const call = await callIn('two')
    const options = { url: groups.cluster.gateway(0).url, callId: call.id, userId: call.caller.id }
    const io = await refusalOf('socketio', { ...options, token: call.caller.token })
    expect(io.data).to.deep.include({ code: 'INVALID_REQUEST', details: { signaling_url: call.signalingUrl } })
    const user = newUser()
    expect(await refusalOf('raw', { ...options, userId: user.id, token: user.token })).to.include({ status: 403 })
    const channel = await refusalOf('socketio', { url: groups.origins.two, userId: user.id, token: user.token })
    expect(channel.data).to.deep.include({
      details: { events_url: `${groups.origins.one.replace('http', 'ws')}/ws/events` },
    })
    const twice = await refusalOf('raw', {
      ...options,
      token: call.caller.token,
      headers: { 'x-tchat-tunnelled': '1' },
    })
    expect(twice).to.include({ status: 421, code: 'INVALID_REQUEST' })
    expect(twice.body?.error.details).to.deep.equal({ signaling_url: call.signalingUrl })
  })

  it('are swept by every worker: dead nodes buried, users gone announced, lost calls ended', async () => {
    const calls = await Promise.all(GROUPS.map((name) => callIn(name)))
    const peers = await Promise.all(
      calls.map(async (call, index) => {
        await answer(call)
        const name = GROUPS[index] ?? 'one'
        return {
          caller: await join(call, 'caller', GATEWAYS[name][0]),
          callee: await join(call, 'callee', GATEWAYS[name][1]),
        }
      }),
    )
    await Promise.all(GROUPS.map((name) => groups.cluster.kill(`gateway-${GATEWAYS[name][0] + 1}`, 'SIGKILL')))
    for (const { caller, callee } of peers)
      await callee.next((message) => message.type === 'user-left' && message.user_id === caller.userId)
    await Promise.all(peers.map(({ callee }) => callee.terminate()))

    for (const { id, caller } of calls)
      await eventually(
        async () => expect((await caller.api.status(id)).body).to.include({ end_reason: 'peers_lost' }),
        15_000,
      )
    for (const name of GROUPS) await groups.cluster.waitReady(`gateway-${GATEWAYS[name][0] + 1}`)
  })

  it('keep calls made before there were groups in the first', async () => {
    const call = await callIn('one')
    await db.raw('UPDATE calls SET call_group = NULL WHERE id = ?', [call.id])
    await answer(call)
    const caller = await join(call, 'caller')
    await caller.terminate()

    await eventually(
      async () => expect((await call.caller.api.status(call.id)).body.end_reason).to.equal('peers_lost'),
      15_000,
    )
  })

  for (const [away, other] of [
    ['two', 'one'],
    ['one', 'two'],
  ] as const)
    it(`leave the calls of ${other} untouched while the Redis of ${away} is away`, async () => {
      const live = await callIn(other)
      await answer(live)
      const [caller, callee] = [
        await join(live, 'caller', GATEWAYS[other][0]),
        await join(live, 'callee', GATEWAYS[other][1]),
      ]
      const hurt = await callIn(away)
      await answer(hurt)
      const theirs = await join(hurt, 'caller', GATEWAYS[away][0])
      const channel = await openChannel(groups.cluster, hurt.callee)
      await groups.redis[away].pause()
      try {
        for (let turn = 0; turn < 5; turn++) {
          const acked = await caller.sendAndAck(caller.candidateMessage(`candidate ${turn}`))
          expect(acked.ok).to.equal(true)
          expect(await callee.next('candidate')).to.include({ candidate: `candidate ${turn}` })
        }
        const fresh = await callIn(other)
        const freshPeer = await join(fresh, 'caller')
        await answer(fresh)
        await freshPeer.next((message) => message.type === 'call-status' && message.status === 'active')
        for (const call of [live, fresh]) await call.caller.api.end(call.id)
        for (const peer of [caller, callee, freshPeer]) {
          await over(peer)
          expect((await peer.closed).code).to.equal(1000)
        }
        // Longer than the limits after which a call without peers ends: nobody may conclude from a Redis that is away.
        const lonely = await callIn(other)
        await answer(lonely)
        const only = await join(lonely, 'caller')
        await only.terminate()
        await eventually(
          async () => expect((await lonely.caller.api.status(lonely.id)).body.end_reason).to.equal('peers_lost'),
          15_000,
        )
        expect((await hurt.caller.api.status(hurt.id)).body.status).to.equal('active')
        await hurt.caller.api.end(hurt.id)
        // Where the first group's Redis is there, its channels hear of everything at once.
        if (away === 'two') await over(channel)
      } finally {
        await groups.redis[away].resume()
      }
      // Told late, by the outbox, and not lost.
      await over(theirs)
      if (away === 'one') await over(channel)
    })

  it('are both in the sight of callctl', async () => {
    const { env } = groups.cluster
    const { nodes } = await eventually(async () => {
      const shown = await callctlJson<{ nodes: { node_id: string; group: string; live: boolean }[] }>(env, 'nodes')
      expect(shown.nodes.filter(({ live }) => live)).to.have.length(4)
      return shown
    })
    const live = nodes.filter((node) => node.live)
    expect(live.map(({ node_id, group }) => `${node_id.split('.')[0]} ${group}`)).to.have.members([
      'gateway-1 one',
      'gateway-2 one',
      'gateway-3 two',
      'gateway-4 two',
    ])
    expect((await callctl(env, 'nodes')).stdout).to.match(/^GROUP +NODE/)
    const call = await callIn('two')
    await join(call, 'caller', GATEWAYS.two[1])
    const { connections } = await callctlJson<{ connections: { node_id: string; joined: boolean }[] }>(
      env,
      'connections',
      '--call',
      call.id,
    )
    expect(connections.map(({ node_id, joined }) => [node_id.split('.')[0], joined])).to.deep.equal([
      ['gateway-4', true],
    ])
    const ended = await callctlJson(env, 'end', call.id)
    expect(ended).to.include({ end_reason: 'no_answer', told: true })
  })
})
