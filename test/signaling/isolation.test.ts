import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { joinBoth, newCall, newUser, openChannel, type TestCall } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS, refusalOf } from '../support/connect-peer.ts'
import type { Fields, Peer } from '../support/peer.ts'

/** Whatever an intruder tries, the two of the call must have heard only each other. */
async function expectUndisturbed(caller: Peer, callee: Peer): Promise<void> {
  caller.offer('marker')
  callee.offer('marker')
  await Promise.all([caller.next('offer'), callee.next('offer')])
  for (const peer of [caller, callee]) {
    const heard = peer.received.map(({ type }) => type).filter((type) => type !== 'user-joined')
    expect(heard).to.deep.equal(['call-status', 'offer'])
    for (const { participants } of peer.all('user-joined')) {
      expect([caller.userId, callee.userId]).to.include.members(participants)
    }
  }
}

describe('strangers', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  for (const kind of PEER_KINDS) {
    describe(kind, () => {
      it('cannot connect to a call, whatever they put into the handshake', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call)
        const stranger = newUser(cluster)
        const attempt = { userId: stranger.id, token: stranger.token }

        const attempts = [
          call.caller.optionsFor(attempt),
          call.callee.optionsFor({ ...attempt, at: 1 }),
          call.caller.optionsFor({ ...attempt, since: '1' }),
          call.caller.optionsFor({ ...attempt, at: 'edge' }),
        ]
        for (const options of attempts) expect((await refusalOf(kind, options)).code).to.equal('FORBIDDEN')

        await expectUndisturbed(caller, callee)
      })

      it('cannot join, read or inject from a call of their own', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call)
        const own = await newCall(cluster)
        const stranger = await own.caller.joinAs(kind)

        for (const attempt of intrusions(call, stranger)) {
          stranger.send(attempt)
          const error = await stranger.next('error')
          expect(error.error.code, JSON.stringify(attempt)).to.equal('FORBIDDEN')
        }

        expect(stranger.all('offer')).to.have.lengthOf(0)
        await expectUndisturbed(caller, callee)
      })

      it('cannot do so before they joined their own call either', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call)
        const stranger = await (await newCall(cluster)).caller.connect(kind)

        for (const attempt of intrusions(call, stranger)) {
          stranger.send(attempt)
          // The ids are checked before the question whether it joined.
          expect((await stranger.next('error')).error.code).to.equal('FORBIDDEN')
        }

        await expectUndisturbed(caller, callee)
      })

      it('get nothing on their user channel, and inject nothing through it', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call)
        const stranger = newUser(cluster)
        const channel = await openChannel(cluster, stranger, kind)

        for (const attempt of intrusions(call, channel)) {
          channel.send(attempt)
          expect((await channel.next('error')).error.code).to.equal('SIGNALING_ERROR')
        }

        await expectUndisturbed(caller, callee)
        expect(channel.received.map(({ type }) => type).filter((type) => type !== 'error')).to.deep.equal([])
      })
    })
  }

  describe('participants', () => {
    it('cannot speak for the other one, nor for anybody else', async () => {
      for (const kind of PEER_KINDS) {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { caller: kind })
        const forged: Fields[] = [
          caller.offerMessage('s', { from: call.callee.id }),
          caller.offerMessage('s', { from: call.callee.id, to: call.caller.id }),
          caller.offerMessage('s', { from: randomUUID() }),
          caller.offerMessage('s', { to: call.caller.id }),
          caller.offerMessage('s', { to: randomUUID() }),
          caller.answerMessage('s', { to: randomUUID() }),
          caller.candidateMessage('c', { to: randomUUID() }),
          caller.candidateMessage('c', { from: call.callee.id }),
          { ...caller.joinMessage(), user_id: call.callee.id },
          { ...caller.joinMessage(), type: 'leave-room', user_id: call.callee.id },
          caller.stateMessage('failed', { user_id: call.callee.id }),
        ]

        for (const message of forged) {
          caller.send(message)
          expect((await caller.next('error')).error.code, JSON.stringify(message)).to.equal('FORBIDDEN')
        }

        await callee.join()
        caller.offer('marker')
        await callee.next('offer')
        expect(callee.all('user-left')).to.have.lengthOf(0)
        expect(callee.all('error')).to.have.lengthOf(0)
        expect(callee.all('offer').map(({ sdp }) => sdp)).to.deep.equal(['marker'])
      }
    })

    it('cannot send into an earlier call of theirs over the connection of a new one', async () => {
      const first = await newCall(cluster)
      await first.end()
      const second = await newCall(cluster, { caller: first.caller.user, callee: first.callee.user })
      const { caller, callee } = await joinBoth(second)

      caller.offer('s', { call_id: first.id })

      expect((await caller.next('error')).error.code).to.equal('FORBIDDEN')
      await expectOnlyMarker(caller, callee)
    })
  })
})

async function expectOnlyMarker(from: Peer, to: Peer): Promise<void> {
  from.offer('marker')
  await to.next('offer')
  expect(to.all('offer').map(({ sdp }) => sdp)).to.deep.equal(['marker'])
}

/** Every way to reach into a call from a connection that is not in it: wrong call, wrong sender, wrong receiver. */
function intrusions(call: TestCall, stranger: Peer): Fields[] {
  const { id: call_id } = call
  const [caller, callee] = [call.caller.id, call.callee.id]
  const own = stranger.userId
  return [
    { type: 'join-room', call_id, user_id: own },
    { type: 'join-room', call_id, user_id: caller },
    { type: 'leave-room', call_id, user_id: callee },
    { type: 'offer', call_id, from: own, to: callee, sdp: 'injected' },
    { type: 'offer', call_id, from: caller, to: callee, sdp: 'injected' },
    { type: 'answer', call_id, from: callee, to: caller, sdp: 'injected' },
    { type: 'candidate', call_id, from: caller, to: callee, candidate: 'injected', sdp_mid: '0', sdp_m_line_index: 0 },
    { type: 'connection-state', call_id, user_id: own, state: 'failed' },
    { type: 'connection-state', call_id, user_id: caller, state: 'failed' },
  ]
}
