/** Short versions of attacks on a gateway: a call beside them goes on as if nothing happened, and memory stays bounded. */
// alone: it compares the latency of a call under attack with a calm one
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newUser } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { type Attack, PLANS } from './attackers.ts'
import { InnocentCall, residentMib, startAttack } from './innocent-call.ts'

/** On gateways without these limits each attack raised the latency within a second. */
const [CALM_MS, ATTACK_MS] = process.env.TRIALS === 'full' ? [2_000, 4_000] : [600, 2_000]
/** The target on a calm machine; on a busy one everything takes longer, also without an attack. */
const P99_MS = 50
/** A gateway under attack takes 5 ms on a calm machine; one that yields to it takes 35 to 140 ms. */
const P50_MS = 25
const SLOWER_THAN_CALM = 10
/** The attacker takes a core of the machine, and so may others: the best round counts. */
const ROUNDS = 3
/** The heap of a process under load grows before it is collected: the attacks took hundreds. */
const GROWTH_MIB = 120

describe('a gateway under attack', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await privateCluster({ gateways: 1, apis: 1, workers: 1, edge: false })
  })
  after(() => cluster.stop())

  for (const name of Object.keys(PLANS) as Attack[])
    it(`by ${name} serves others as before`, async function () {
      this.timeout(120_000)
      const innocent = await InnocentCall.begin(cluster)
      for (let round = 1; ; round++) {
        const fault = await attackOnce(innocent, name)
        if (fault === undefined) break
        if (round === ROUNDS) expect.fail(fault)
      }
      await innocent.end()
    })

  /** What was wrong, with all figures; undefined where nothing was. */
  async function attackOnce(innocent: InnocentCall, name: Attack): Promise<string | undefined> {
    const calm = await innocent.measure(CALM_MS)
    const beforeMib = await residentMib(cluster)
    const attacker = await startAttack(name, { url: cluster.gateway(0).url, token: newUser(cluster).token })
    const attacked = await innocent.measure(ATTACK_MS)
    const opened = await attacker.opened()
    const grownMib = (await residentMib(cluster)) - beforeMib
    await attacker.stop()
    const seen = `calm ${JSON.stringify(calm)}, attacked ${JSON.stringify(attacked)}, ${opened} connections`
    const figures = `${seen}, ${beforeMib} MiB and ${grownMib} more`
    if (process.env.ATTACK_FIGURES) console.log(`      ${figures}`)
    const isSlow =
      attacked.p99 > Math.max(P99_MS, SLOWER_THAN_CALM * calm.p99) ||
      attacked.p50 > Math.max(P50_MS, SLOWER_THAN_CALM * calm.p50)
    return isSlow || grownMib > GROWTH_MIB ? figures : undefined
  }
})
