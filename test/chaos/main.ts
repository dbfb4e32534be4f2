// `make chaos-signaling`: a thousand calls, at least twenty killed gateways, the ledger at the end. About six minutes.
import { startCluster } from '../../dev/cluster/cluster.ts'
import { pickIndex, runSeed, seededRandom } from '../support/randomness.ts'
import { Faults } from './faults.ts'
import { Fleet, pause } from './fleet.ts'
import { faultsOf, formatTrips, formatVerdict } from './report.ts'

const number = (name: string, fallback: number) => Number(process.env[name] ?? fallback)
const CALLS = number('CALLS', 1000)
const KILLS = number('KILLS', 22)
const GATEWAYS = number('GATEWAYS', 3)
/** Faults stop after this, whatever was reached; setting up and coming to rest take about a minute more. */
const FAULTS_MS = number('FAULTS_SECONDS', 290) * 1000
/** Between two faults: long enough that most clients are back, short enough that some are not. */
const PAUSE_MS = { least: 3000, most: 9000 }
const SETTLE_MS = 40_000

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))

const say = (text: string) => console.log(`${new Date().toISOString().slice(11, 19)} ${text}`)
const seed = runSeed()
const random = seededRandom(seed)
const cluster = await startCluster({ gateways: GATEWAYS, env: { STUN_URLS: 'none', LOG_LEVEL: 'warn' } })
try {
  say(`${GATEWAYS} gateways are up; making ${CALLS} calls; SEED=${seed} repeats the order of the faults`)
  const fleet = await Fleet.start(cluster, { calls: CALLS, pauseMs: 8000 })
  const faults = new Faults(cluster, fleet)
  say('all have joined')
  fleet.startSending()
  const names = Array.from({ length: GATEWAYS }, (_, index) => `gateway-${index + 1}`)
  const until = performance.now() + FAULTS_MS
  const others: Promise<unknown>[] = []
  for (let turn = 0; performance.now() < until && faults.counts.kills < KILLS; turn++) {
    await pause(PAUSE_MS.least + random() * (PAUSE_MS.most - PAUSE_MS.least))
    const name = names[pickIndex(random, names.length)] ?? 'gateway-1'
    // Of eight turns five kill one gateway, one kills two, one stops one and one drains one, partly at the same time.
    const kind = turn % 8
    if (kind === 2) others.push(faults.stop(name))
    else if (kind === 4) others.push(faults.drain(name))
    else if (kind === 6) await faults.kill(name, names[(names.indexOf(name) + 1) % names.length] ?? name)
    else await faults.kill(name)
    say(`kills ${faults.counts.kills}, stops ${faults.counts.stops}, drains ${faults.counts.drains}`)
  }
  await Promise.all(others)
  say('no more faults; coming to rest')
  await fleet.settle(SETTLE_MS)
  const verdict = fleet.ledger.verdict()
  const notActive = await fleet.notActive()
  const { counts, cut } = faults
  console.log(
    formatVerdict(verdict, {
      gateways: GATEWAYS,
      'killed with kill -9': `${counts.kills} (calls that lost both peers: ${cut.both}, one: ${cut.one})`,
      'stopped 3-12 s': counts.stops,
      drained: counts.drains,
      'calls ended by mistake': notActive.length,
    }),
  )
  console.log(formatTrips(fleet.ledger.trips))
  const wrong = faultsOf(verdict)
  if (notActive.length > 0) wrong.push(`${notActive.length} calls ended: ${notActive.slice(0, 3).join(', ')}`)
  if (wrong.length > 0) console.log(`\nFAILED: ${wrong.join('; ')}\n${fleet.ledger.evidence()}`)
  else console.log('\nNothing lost, nothing doubled, nothing out of order.')
  process.exitCode = wrong.length > 0 ? 1 : 0
  fleet.stop()
} finally {
  await cluster.stop()
}
