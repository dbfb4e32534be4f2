/** A storm in short; `make chaos-storm` is the long one. */
// alone: it fills the machine with connections
import { expect } from 'chai'
import type { Cluster } from '../../../dev/cluster/cluster.ts'
import { privateCluster } from '../../support/clusters.ts'
import { runStorm, type StormOptions } from './storm.ts'
import { faultsOfStorm, formatStorm } from './storm-report.ts'

const CLIENTS = process.env.TRIALS === 'full' ? 6000 : 1000
/** For a machine that others keep busy, too; on a quiet one all of it is a fraction. */
const LIMITS = { allInAfterKillMs: 30_000, relayP99Ms: 2500, rssMib: 300, attemptsPerEntry: 3 }

describe('a storm of connections while a gateway dies', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await privateCluster({ gateways: 3 })
  })
  after(() => cluster.stop())

  for (const through of ['edge', 'gateways'] satisfies StormOptions['through'][]) {
    it(`lets everybody in and goes on relaying, through the ${through}`, async () => {
      const result = await runStorm(cluster, { clients: CLIENTS, through, deadlineMs: 60_000 })

      expect(faultsOfStorm(result, LIMITS), formatStorm(result)).to.deep.equal([])
      expect(result.lostByKill).to.be.greaterThan(50)
      expect(result.relayDuring.count).to.be.greaterThan(100)
      await cluster.waitReady('gateway-1')
    }).timeout(120_000)
  }
})
