/**
 * Prints a gateway's memory, second by second, while connections send what is never finished and never answered.
 * `node --import tsx test/attacks/memory.ts [seconds]`; flat means that the last figures are as the first.
 */
import { newUser } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import type { Attack } from './attackers.ts'
import { residentMib, startAttack } from './innocent-call.ts'

const STREAMS: Attack[] = [
  'pings without a token',
  'pings on user channels',
  'fragments between pongs without a token',
  'fragments between pongs on user channels',
  'empty fragments on user channels',
  'half a message without a token',
  'half a message on user channels',
  'half a polling body',
]

const seconds = Number(process.argv[2] ?? 8)
const cluster = await privateCluster({ gateways: 1, apis: 1, workers: 1, edge: false })
try {
  for (const name of STREAMS) {
    const figures = [await residentMib(cluster)]
    const attacker = await startAttack(name, { url: cluster.gateway(0).url, token: newUser(cluster).token })
    for (let second = 0; second < seconds; second++) {
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      figures.push(await residentMib(cluster))
    }
    console.log(`${name.padEnd(42)} MiB: ${figures.join(' ')}   (${await attacker.opened()} connections)`)
    await attacker.stop()
  }
} finally {
  await cluster.stop()
}
