import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { joinBoth, newCall, type TestCall } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS, type PeerKind } from '../support/connect-peer.ts'
import type { Peer } from '../support/peer.ts'

/** `since` is the seq of the last message that was delivered. */
function lastSeq(peer: Peer): string {
  const seq = peer.received.filter(({ type }) => type !== 'ack').at(-1)?.seq
  if (seq === undefined) throw new Error('The last message has no seq')
  return seq
}

const candidatesOf = (peer: Peer) => peer.all('candidate').map(({ candidate }) => candidate)
const isCandidate = (name: string) => (message: { type: string; candidate?: string }) =>
  message.type === 'candidate' && message.candidate === name

async function expectNothingElse(from: Peer, to: Peer, candidates: string[]): Promise<void> {
  from.offer('marker')
  await to.next((message) => message.type === 'offer' && message.sdp === 'marker')
  expect(candidatesOf(to)).to.deep.equal(candidates)
}

describe('resuming with since', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  for (const kind of PEER_KINDS) {
    describe(kind, () => {
      it('rejoins by itself: user-joined, call-status, resumed, then what was missed, in order, once', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { callee: kind })
        for (const name of ['1', '2']) caller.candidate(name)
        await callee.next(isCandidate('2'))
        const since = lastSeq(callee)
        await callee.terminate()
        for (const name of ['3', '4', '5']) await caller.sendAndAck(caller.candidateMessage(name))

        const back = await call.callee.connect(kind, { at: 0, since })
        await back.next(isCandidate('5'))

        expect(back.received.map(({ type }) => type)).to.deep.equal([
          'user-joined',
          'call-status',
          'resumed',
          'candidate',
          'candidate',
          'candidate',
        ])
        expect(back.all('resumed')[0]).to.include({ call_id: call.id, recovered: true, count: 3 })
        expect(back.all('user-joined')[0]?.participants).to.have.members([call.caller.id, call.callee.id])
        await expectNothingElse(caller, back, ['3', '4', '5'])
        // The other side never saw it go: it was back within the grace.
        expect(caller.all('user-left')).to.have.lengthOf(0)
        expect(caller.all('user-joined').map((message) => message.user_id)).to.deep.equal([
          call.caller.id,
          call.callee.id,
        ])
      })

      it('starts after any message that the client names', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { callee: kind })
        for (const name of ['1', '2', '3', '4']) caller.candidate(name)
        await callee.next(isCandidate('4'))
        const second = callee.all('candidate')[1]?.seq
        await callee.terminate()

        const back = await call.callee.connect(kind, { since: second })

        expect(await back.next('resumed')).to.include({ recovered: true, count: 2 })
        await expectNothingElse(caller, back, ['3', '4'])
      })

      it('takes the seq of a control message', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { callee: kind })
        const since = lastSeq(callee)
        await callee.terminate()
        await caller.sendAndAck(caller.candidateMessage('1'))

        const back = await call.callee.connect(kind, { since })

        expect(await back.next('resumed')).to.include({ recovered: true, count: 1 })
        await expectNothingElse(caller, back, ['1'])
      })

      it('says so when nothing was missed', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { callee: kind })
        caller.candidate('1')
        await callee.next(isCandidate('1'))
        await callee.terminate()

        const back = await call.callee.connect(kind, { at: 0, since: lastSeq(callee) })

        expect(await back.next('resumed')).to.include({ recovered: true, count: 0 })
        await expectNothingElse(caller, back, [])
      })

      it('replays nothing twice to a join-room that follows', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { callee: kind })
        const since = lastSeq(callee)
        await callee.terminate()
        await caller.sendAndAck(caller.candidateMessage('1'))
        const back = await call.callee.connect(kind, { since })
        await back.next(isCandidate('1'))

        const { joined, status } = await back.join()

        expect(joined.participants).to.have.members([call.caller.id, call.callee.id])
        expect(status.call_id).to.equal(call.id)
        expect(back.all('resumed')).to.have.lengthOf(1)
        await expectNothingElse(caller, back, ['1'])
      })

      it('can send at once, without a join-room', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { callee: kind })
        await callee.terminate()

        const back = await call.callee.connect(kind, { at: 0, since: lastSeq(callee) })
        back.offer('sent while resuming')

        expect((await caller.next('offer')).sdp).to.equal('sent while resuming')
      })

      it('answers a since that means nothing with recovered: false and all it has', async () => {
        for (const since of ['nonsense', '-1', '0', '99999999999999999999', '1.5', '{}', 'x'.repeat(500)]) {
          const call = await newCall(cluster)
          const caller = await call.caller.joinAs()
          await caller.sendAndAck(caller.candidateMessage('1'))

          const callee = await call.callee.connect(kind, { since })

          expect((await callee.next('resumed')).recovered, since).to.equal(false)
          await expectNothingElse(caller, callee, ['1'])
        }
      })

      it('answers the since of another call with recovered: false', async () => {
        const since = await seqOfAnotherCall(cluster, kind)
        const call = await newCall(cluster)
        const { caller } = await joinBoth(call)

        const callee = await call.callee.connect(kind, { since })

        expect(await callee.next('resumed')).to.include({ recovered: false })
        caller.offer('goes on')
        expect((await callee.next('offer')).sdp).to.equal('goes on')
      })

      it('clamps a since ahead of the log, says recovered: false, and misses nothing from then on', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { callee: kind })
        caller.candidate('1')
        const { seq = '' } = await callee.next(isCandidate('1'))
        await callee.terminate()

        const ahead = await call.callee.connect(kind, { since: `${seq.split('-')[0]}-1000` })
        expect(await ahead.next('resumed')).to.include({ recovered: false, seq })
        await caller.sendAndAck(caller.candidateMessage('2'))
        await ahead.next(isCandidate('2'))
        await ahead.terminate()
        await caller.sendAndAck(caller.candidateMessage('3'))
        const back = await call.callee.joinAs(kind, { at: 0 })

        await back.next(isCandidate('3'))
        // From the first connection on, which had confirmed nothing.
        await expectNothingElse(caller, back, ['1', '2', '3'])
      })

      it('admits it when more was missed than is kept', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { callee: kind })
        const since = lastSeq(callee)
        await callee.terminate()
        // The log keeps 256 entries.
        for (let index = 0; index < 299; index++) caller.candidate(String(index))
        await caller.sendAndAck(caller.candidateMessage('299'))

        const back = await call.callee.connect(kind, { since })

        const resumed = await back.next('resumed')
        expect(resumed.recovered).to.equal(false)
        await back.next(isCandidate('299'))
        const kept = candidatesOf(back).map(Number)
        expect(resumed.count).to.equal(kept.length)
        expect(kept).to.deep.equal(Array.from({ length: kept.length }, (_, index) => 300 - kept.length + index))
      })
    })
  }

  it('moves between the transports', async () => {
    const call = await newCall(cluster)
    const { caller, callee } = await joinBoth(call, { callee: 'raw' })
    caller.candidate('1')
    await callee.next(isCandidate('1'))
    await callee.terminate()
    await caller.sendAndAck(caller.candidateMessage('2'))

    const back = await call.callee.connect('socketio', { at: 0, since: lastSeq(callee) })

    await back.next(isCandidate('2'))
    await expectNothingElse(caller, back, ['2'])
  })

  it('counts on over many reconnects, each message once and in order', async () => {
    const call = await newCall(cluster)
    const { caller, callee } = await joinBoth(call)
    const seen: string[] = []
    let current: Peer = callee
    const names = Array.from({ length: 60 }, (_, index) => String(index))
    const sending = (async () => {
      for (const name of names) await caller.sendAndAck(caller.candidateMessage(name))
    })()

    for (let round = 0; round < 8; round++) {
      await current.next('candidate')
      const since = lastSeq(current)
      // What comes between reading the seq and the end of the connection was not handled by this client.
      seen.push(...upTo(current, since))
      await current.terminate()
      current = await call.callee.connect(round % 2 ? 'socketio' : 'raw', { at: round % 2 ? 1 : 0, since })
    }
    await sending
    await current.next(isCandidate('59'))
    seen.push(...candidatesOf(current))

    expect(seen).to.deep.equal(names)
  })
})

function upTo(peer: Peer, seq: string): string[] {
  const last = peer.received.findLastIndex((message) => message.seq === seq)
  return peer.received
    .slice(0, last + 1)
    .flatMap((message) => (message.type === 'candidate' ? [message.candidate] : []))
}

async function seqOfAnotherCall(cluster: Cluster, kind: PeerKind): Promise<string> {
  const other: TestCall = await newCall(cluster)
  const { caller, callee } = await joinBoth(other, { callee: kind })
  caller.candidate('elsewhere')
  await callee.next('candidate')
  return lastSeq(callee)
}
