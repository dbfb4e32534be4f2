/** A client that takes nothing any more is cut off before it costs the node its memory, and can resume. */
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { PEER_KINDS } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'

/** 40 MB in all: more than the sockets of both ends buffer. */
const MESSAGES = 900
const SDP = 'x'.repeat(45_000)

/** Well before a client that answers no ping counts as dead. */
const NO_PING_MISSED_MS = 8_000

describe('slow consumer', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await privateCluster({
      gateways: 2,
      edge: false,
      env: { FLOOD_BURST: '5000', FLOOD_MESSAGES_PER_SECOND: '5000', FLOOD_BURST_BYTES: '100000000' },
    })
  })
  after(() => cluster.stop())

  for (const kind of PEER_KINDS)
    it(`cuts off a ${kind} client and lets it resume honestly`, async function () {
      this.timeout(40_000)
      const call = await newCall(cluster)
      const caller = await call.caller.joinAs('raw')
      const callee = await call.callee.joinAs(kind)
      await caller.send({ ...caller.candidateMessage('first'), id: 0 })
      const { seq } = await callee.next('candidate')

      callee.stopReading()
      for (let number = 1; number <= MESSAGES; number++) await caller.send({ ...caller.offerMessage(SDP), id: number })

      await eventually(async () => {
        const { participants } = await call.status()
        expect(participants.find(({ role }) => role === 'callee')?.connection_status).to.equal('disconnected')
      }, NO_PING_MISSED_MS)
      const again = await call.callee.connect(kind, { since: seq })
      const resumed = await again.next('resumed')
      expect(resumed.recovered).to.equal(false, 'the log keeps 1 MiB of a call')
      expect(resumed.count).to.be.greaterThan(10)
      for (let taken = 0; taken < resumed.count; taken++) await again.next('offer')
    })
})
