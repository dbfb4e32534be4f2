/** One account that sends as much as its connections carry: it ends itself, and a call beside it goes on as before. */
// alone: it compares latencies under load with calm ones
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall, type TestCall } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS, type PeerKind } from '../support/connect-peer.ts'
import type { Peer } from '../support/peer.ts'

/** As many as a user may have. */
const CONNECTIONS = 5
/** 38 MiB in all, within the burst of each connection: more than a node keeps waiting. */
const MESSAGES = 125
const SDP = 'x'.repeat(62_000)
/** Trips of the call beside it in each measurement. */
const TRIPS = 60
/** The machine is busy with the attack itself, and with other tests. */
const RATIO_MAX = 30
const SLACK_MS = 100

interface Pair {
  caller: Peer
  callee: Peer
}

/** Ms of each trip from caller to callee, one after the other. @throws where a message is refused or lost */
async function trips({ caller, callee }: Pair, label: string): Promise<number[]> {
  const times: number[] = []
  for (let trip = 0; trip < TRIPS; trip++) {
    const sentAt = performance.now()
    const name = `${label}${trip}`
    caller.candidate(name, { id: name })
    await callee.next((message) => message.type === 'candidate' && message.candidate === name)
    times.push(performance.now() - sentAt)
  }
  return times.sort((one, other) => one - other)
}

const median = (sorted: number[]) => sorted[Math.floor(sorted.length / 2)] as number

/** Sends in slices, so that the trips of the same process are not held up by the attack's own making. */
async function attack(peers: Peer[]): Promise<void> {
  for (let sent = 0; sent < MESSAGES; sent++) {
    for (const peer of peers) peer.offer(SDP)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('a greedy account', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  const joinOnOneNode = async (call: TestCall): Promise<Pair> => ({
    caller: await call.caller.joinAs('raw', { at: 0 }),
    callee: await call.callee.joinAs('raw', { at: 0 }),
  })
  const greedy = async (kind: PeerKind): Promise<Peer[]> => {
    const call = await newCall(cluster)
    await call.callee.joinAs('raw', { at: 0 })
    return Promise.all(Array.from({ length: CONNECTIONS }, () => call.caller.joinAs(kind, { at: 0 })))
  }

  for (const kind of PEER_KINDS)
    it(`over ${kind} is closed for its bytes, and no message of another call is refused or held up`, async () => {
      const innocent = await joinOnOneNode(await newCall(cluster))
      const attackers = await greedy(kind)
      const calm = median(await trips(innocent, 'calm'))

      const [busy] = await Promise.all([trips(innocent, 'busy'), attack(attackers)])

      expect(innocent.caller.all('error')).to.deep.equal([])
      expect(median(busy), `ms, calm ${calm}`).to.be.below(RATIO_MAX * calm + SLACK_MS)
      for (const peer of attackers) {
        const { code, reason } = await peer.closed
        if (kind === 'raw') expect(code).to.equal(1008)
        else expect(reason).to.equal('io server disconnect')
        expect(peer.all('error').map(({ error }) => error.code)).to.include('RATE_LIMITED')
      }
    }).timeout(90_000)

  it('is limited by bytes, not by characters', async () => {
    const call = await newCall(cluster)
    const peer = await call.caller.joinAs('raw', { at: 0 })
    // 11 MiB on the wire (RFC 3629: 3 bytes each), and fewer characters than the burst has bytes.
    for (let sent = 0; sent < 190; sent++) peer.offer('\u4e00'.repeat(20_000))

    expect((await peer.closed).code).to.equal(1008)
  }).timeout(60_000)

  it('is limited over all its connections together, also one after the other', async () => {
    const call = await newCall(cluster)
    const first = await call.caller.joinAs('raw', { at: 0 })
    const offers = Math.ceil((4 * 1024 * 1024) / SDP.length)
    for (let sent = 0; sent < offers / 2; sent++) first.offer(SDP)
    await first.sendAndAck(first.candidateMessage('last'))
    await first.terminate()

    const second = await call.caller.joinAs('raw', { at: 0 })
    for (let sent = 0; sent < offers; sent++) second.offer(SDP)

    expect((await second.closed).code).to.equal(1008)
    const other = await call.caller.joinAs('raw', { at: 1 })
    await other.sendAndAck(other.candidateMessage('elsewhere'))
  }).timeout(60_000)
})
