/** Long polling through the edge: a session is found by its id, from whatever address its requests come. */
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { sharedCluster } from '../support/clusters.ts'
import { type ExtraEdge, startExtraEdge } from '../support/extra-edge.ts'
import { PollingSession } from '../support/polling-session.ts'
import { sendRaw } from '../support/raw-http.ts'
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

  // RFC 3986 section 2.3: an unreserved character may be written with a percent sign.
  it('go on where a client writes the dot of its session id as %2E', async () => {
    for (let at = 0; at < SESSIONS; at++) {
      const { sid } = await PollingSession.open({ url: cluster.url, from: '127.0.0.1' })
      const path = `/socket.io/?EIO=4&transport=polling&sid=${sid.replace('.', '%2E')}`
      const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain`
      const { status, body } = await sendRaw(cluster.url, `${head}\r\nContent-Length: 1\r\n\r\n1`)
      expect(status, body).to.equal(200)
    }
  })
})
