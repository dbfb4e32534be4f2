import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { joinBoth, newCall } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS } from '../support/connect-peer.ts'
import type { AnyMessage } from '../support/inbox.ts'
import type { Fields, Peer } from '../support/peer.ts'

/** Below the flood limit's burst of 400, above every buffer of a handful. */
const CANDIDATES = 300

/** What the sender sent must arrive as it was, with the server's `seq` and nothing else. */
function expectUnchanged(got: AnyMessage, sent: Fields): void {
  const { seq, ...body } = got as unknown as Fields
  const { seq: _ownSeq, ...expected } = sent
  expect(body).to.deep.equal(expected)
  expect(seq).to.be.a('string').that.is.not.equal('')
  expect(seq).not.to.equal(sent.seq)
}

async function takeCandidates(peer: Peer, count: number): Promise<string[]> {
  const taken: string[] = []
  while (taken.length < count) taken.push((await peer.next('candidate')).candidate)
  return taken
}

const bodies: Record<string, (peer: Peer) => Fields> = {
  'an offer': (peer) => peer.offerMessage('v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n'),
  'an answer': (peer) => peer.answerMessage('v=0\r\n'),
  'a candidate': (peer) => peer.candidateMessage('candidate:1 1 udp 1 127.0.0.1 9 typ host'),
  'the end of candidates': (peer) => peer.candidateMessage(''),
  'a candidate without an m-line': (peer) => peer.candidateMessage('c', { sdp_mid: null, sdp_m_line_index: null }),
  'a candidate with neither field': (peer) => {
    const { sdp_mid: _mid, sdp_m_line_index: _index, ...bare } = peer.candidateMessage('c')
    return bare
  },
  'text of every kind': (peer) =>
    peer.offerMessage('ünïcödé 漢字 🎥 \u2028\u2029 "quotes" \\ \u0000 \u001f </script> \ud83d\ude00'),
  'fields that nobody knows': (peer) =>
    peer.offerMessage('s', { extra: { deep: [1, null, 'x', { y: [] }] }, empty: {}, is: true, none: null }),
  'numbers of every kind': (peer) =>
    peer.offerMessage('s', { n: [0, -1, 1.5, 1e21, 5e-324, Number.MAX_SAFE_INTEGER, 0.1 + 0.2] }),
  'a seq of its own': (peer) => peer.offerMessage('s', { seq: 'forged' }),
  'a number as seq, first in line': (peer) => ({ seq: 7, ...peer.offerMessage('s') }),
  'an object as seq': (peer) => peer.offerMessage('s', { seq: { seq: 'forged' } }),
  'a body that looks like JSON': (peer) => peer.offerMessage('"}],"seq":"forged","x":[{"', { '"seq': '}' }),
  'a key named __proto__': (peer) =>
    JSON.parse(JSON.stringify(peer.offerMessage('s')).replace('{', '{"__proto__":{"a":1},')),
  'an empty description': (peer) => peer.offerMessage(''),
}

describe('relay', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  for (const callerKind of PEER_KINDS) {
    for (const calleeKind of PEER_KINDS) {
      describe(`${callerKind} on one gateway, ${calleeKind} on another`, () => {
        it(`carries ${CANDIDATES} candidates each way at once, in order, each once`, async () => {
          const call = await newCall(cluster)
          const { caller, callee } = await joinBoth(call, { caller: callerKind, callee: calleeKind })
          const names = (side: string) => Array.from({ length: CANDIDATES }, (_, index) => `${side} ${index}`)

          for (const name of names('caller')) caller.candidate(name)
          for (const name of names('callee')) callee.candidate(name)

          expect(await takeCandidates(callee, CANDIDATES)).to.deep.equal(names('caller'))
          expect(await takeCandidates(caller, CANDIDATES)).to.deep.equal(names('callee'))
          const seqs = callee.all('candidate').map(({ seq }) => seq)
          expect(new Set(seqs)).to.have.property('size', CANDIDATES)
        })

        it('leaves every body as it was', async () => {
          const call = await newCall(cluster)
          const { caller, callee } = await joinBoth(call, { caller: callerKind, callee: calleeKind })

          for (const [name, build] of Object.entries(bodies)) {
            for (const [from, to] of [
              [caller, callee],
              [callee, caller],
            ] as const) {
              const sent = build(from)
              from.send(sent)
              const got = await to.next(({ type }) => type === sent.type || type === 'error')
              expect(got.type, name).to.equal(sent.type)
              expectUnchanged(got, sent)
            }
          }
        })
      })
    }
  }

  it('does not echo a message to its sender, on any of its connections', async () => {
    const call = await newCall(cluster)
    const { caller, callee } = await joinBoth(call)
    const further = await call.caller.joinAs('socketio', { at: 1 })

    caller.offer('to the callee')
    callee.offer('marker')
    await Promise.all([caller.next('offer'), further.next('offer')])

    expect(caller.all('offer').map(({ sdp }) => sdp)).to.deep.equal(['marker'])
    expect(further.all('offer').map(({ sdp }) => sdp)).to.deep.equal(['marker'])
  })

  it('takes ids in any letter case', async () => {
    const call = await newCall(cluster)
    const { caller, callee } = await joinBoth(call)

    const upper = { call_id: call.id.toUpperCase(), from: caller.userId.toUpperCase(), to: callee.userId.toUpperCase() }
    caller.offer('shouted', upper)

    expect(await callee.next('offer')).to.include({ sdp: 'shouted', ...upper })
  })

  it('carries a message of 64 KiB', async () => {
    for (const kind of PEER_KINDS) {
      const call = await newCall(cluster)
      const { caller, callee } = await joinBoth(call, { caller: kind })
      const bare = Buffer.byteLength(JSON.stringify(caller.offerMessage('')))
      const sdp = 'x'.repeat(64 * 1024 - bare)

      caller.offer(sdp)

      expect((await callee.next('offer')).sdp).to.have.lengthOf(sdp.length)
    }
  })

  it('keeps calls apart', async () => {
    const [one, two] = [await newCall(cluster), await newCall(cluster)]
    const [first, second] = [await joinBoth(one), await joinBoth(two)]

    first.caller.offer('one')
    second.caller.offer('two')
    await first.callee.next('offer')
    await second.callee.next('offer')

    expect(first.callee.all('offer').map(({ sdp }) => sdp)).to.deep.equal(['one'])
    expect(second.callee.all('offer').map(({ sdp }) => sdp)).to.deep.equal(['two'])
  })
})
