import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { joinBoth, newCall } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'

const LIMIT_SECONDS = 2
/** Longer than a gateway waits until it writes what it knows of rooms, so that it finds each visit over when it writes. */
const BETWEEN_VISITS_MS = 200

describe('a call whose peers come for moments alone', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await privateCluster({ edge: false, env: { LOST_PEERS_TIMEOUT_SECONDS: String(LIMIT_SECONDS) } })
  })
  after(() => cluster.stop())

  it('lives as long as nobody stays away for the limit, and no longer', async () => {
    const call = await newCall(cluster)
    await call.answer()
    const { caller, callee } = await joinBoth(call)
    caller.leave()
    callee.leave()
    const until = Date.now() + 3 * LIMIT_SECONDS * 1000

    // In and out again, at either gateway.
    for (let visits = 0; Date.now() < until; visits++) {
      const visitor = await (visits % 2 === 0 ? call.caller : call.callee).joinAs('raw')
      visitor.leave()
      await visitor.close()
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_VISITS_MS))
    }
    const leftAt = Date.now()
    expect(await call.status()).to.include({ status: 'active' })

    await eventually(async () => expect(await call.status()).to.include({ status: 'ended', end_reason: 'peers_lost' }))
    expect(Date.now() - leftAt).to.be.at.least((LIMIT_SECONDS - 0.5) * 1000)
  }).timeout(30_000)
})
