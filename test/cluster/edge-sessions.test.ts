/** Long polling through the edge: a session is found by its id, from whatever address its requests come. */
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { sharedCluster } from '../support/clusters.ts'
import { type ExtraEdge, startExtraEdge } from '../support/extra-edge.ts'
import { PollingSession } from '../support/polling-session.ts'
import { mintToken } from '../support/tokens.ts'

/** With two gateways, chance alone would let one run in 65,000 pass. */
const SESSIONS = 16

describe('sessions by long polling', function () {
  this.timeout(60_000)
  let cluster: Cluster
  let other: ExtraEdge

  before(async () => {
    cluster = await sharedCluster()
    other = await startExtraEdge(cluster)
  })
  after(() => other?.stop())

  it('go on from other addresses, through other edges, with the token in their first packet alone', async () => {
    const sids: string[] = []
    for (let at = 0; at < SESSIONS; at++) {
      const route = (step: number) => ({
        url: step % 2 === 0 ? cluster.url : other.url,
        // As a phone that changes its network, or pods of an ingress.
        from: `127.0.${step + 1}.${at + 1}`,
      })
      const session = await PollingSession.open(route(0))
      sids.push(session.sid)
      await session.connect(route(1), mintToken(cluster.jwtSecret, { sub: randomUUID() }))
      expect(await session.poll(route(2))).to.match(/^40\{"sid":/)
      await session.close(route(3))
    }
    // Both gateways have some.
    expect(new Set(sids.map((sid) => sid.split('.')[0]))).to.have.length(2)
  })
})
