import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { runDemo } from '../../dev/demo/demo.ts'
import { stopLibdatachannel } from '../../dev/demo/libdatachannel-connection.ts'
import { createUser } from '../support/api-client.ts'
import { sharedCluster } from '../support/clusters.ts'
import { mintToken } from '../support/tokens.ts'

describe('the demo', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })
  after(() => stopLibdatachannel())

  it('connects two WebRTC stacks through two gateways, from the ringing to the history', async () => {
    const lines: string[] = []

    const result = await runDemo({
      apiUrl: cluster.url,
      gatewayUrls: [cluster.gateway(0).url, cluster.gateway(1).url],
      mintToken: (sub) => mintToken(cluster.jwtSecret, { sub }),
      print: (line) => lines.push(line),
    })

    expect(result).to.include({ heardByCallee: 'hello from the caller', heardByCaller: 'hello from the callee' })
    expect(result.entry).to.deep.include({
      call_id: result.callId,
      type: 'video',
      status: 'completed',
      initiated_by: result.callerId,
      participants: [result.callerId, result.calleeId],
      end_reason: 'hangup',
    })
    // The callee sees the same entry.
    const callee = createUser(cluster.url, cluster.jwtSecret, { sub: result.calleeId })
    expect((await callee.api.history(callee.id)).body.calls[0]).to.deep.equal(result.entry)
    for (const { name, ms } of result.steps) expect(lines.join('\n')).to.include(`${ms.toFixed(1)} ms  ${name}`)
  }).timeout(60_000)

  it('works through the edge, where there is one gateway', async () => {
    const result = await runDemo({
      apiUrl: cluster.url,
      gatewayUrls: [cluster.url],
      mintToken: (sub) => mintToken(cluster.jwtSecret, { sub }),
      print: () => {},
    })

    expect(result.entry.status).to.equal('completed')
  }).timeout(60_000)

  it('says which step failed', async () => {
    const failed = await runDemo({
      apiUrl: cluster.url,
      gatewayUrls: [cluster.gateway(0).url],
      mintToken: (sub) => mintToken('another-secret-that-is-long-enough', { sub }),
      print: () => {},
    }).catch((error: Error) => error.message)

    expect(failed).to.match(/refused.*not valid/i)
  })
})
