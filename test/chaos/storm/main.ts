// `make chaos-storm`: a crowd connects at once, and a gateway dies in the middle of it.
import { startCluster } from '../../../dev/cluster/cluster.ts'
import { runStorm } from './storm.ts'
import { faultsOfStorm, formatStorm } from './storm-report.ts'

const number = (name: string, fallback: number) => Number(process.env[name] ?? fallback)
const CLIENTS = number('CLIENTS', 50_000)
const GATEWAYS = number('GATEWAYS', 4)
const THROUGH = process.env.THROUGH === 'edge' ? 'edge' : 'gateways'
const DEADLINE_MS = number('DEADLINE_SECONDS', 300) * 1000

/** Time is a matter of the machine: a few hundred handshakes a second of one core. The rest is not. */
const LIMITS = { allInAfterKillMs: DEADLINE_MS, relayP99Ms: 2500, rssMib: 800, attemptsPerEntry: 3 }

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))

const say = (text: string) => console.log(`${new Date().toISOString().slice(11, 19)} ${text}`)
const cluster = await startCluster({ gateways: GATEWAYS, env: { STUN_URLS: 'none', LOG_LEVEL: 'warn' } })
try {
  say(`${GATEWAYS} gateways are up; ${CLIENTS} clients come, through ${THROUGH}`)
  const result = await runStorm(cluster, { clients: CLIENTS, through: THROUGH, deadlineMs: DEADLINE_MS, say })
  console.log(formatStorm(result))
  const wrong = faultsOfStorm(result, LIMITS)
  console.log(wrong.length > 0 ? `\nFAILED: ${wrong.join('; ')}` : '\nEverybody is in, nothing was lost.')
  process.exitCode = wrong.length > 0 ? 1 : 0
} finally {
  await cluster.stop()
}
