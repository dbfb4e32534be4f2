/** Deployments under load, short: `make chaos-rolling` is the same with 500 calls. */
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { privateCluster } from '../support/clusters.ts'
import { stopAllFleets } from './fleet.ts'
import { BUSY_USERS } from './rest-traffic.ts'
import { rollEverything, scaleGateways, underLoad } from './rolling.ts'

const options = { calls: 24, pauseMs: 1500, restClients: 3, hardStopSeconds: 3, say: () => {} }

describe('a deployment under load', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    const { hardStopSeconds } = options
    cluster = await privateCluster({ apis: 2, hardStopSeconds, env: { DRAIN_WINDOW_SECONDS: '2', ...BUSY_USERS } })
  })
  afterEach(stopAllFleets)
  after(() => cluster.stop())

  for (const [what, change] of [
    ['every process is replaced in turn, the edge’s worker included', rollEverything],
    ['two gateways become four, and two again', scaleGateways],
  ] as const)
    it(`fails no call, and no request of a client that repeats it once, while ${what}`, async () => {
      const { wrong, report } = await underLoad(cluster, options, (fleet) => change(cluster, fleet, options))

      expect(wrong, report).to.deep.equal([])
    }).timeout(120_000)
})
