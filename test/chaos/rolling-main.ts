// `make chaos-rolling`: 500 calls and REST traffic while every process is replaced, then while gateways are scaled.
import { startCluster } from '../../dev/cluster/cluster.ts'
import { BUSY_USERS } from './rest-traffic.ts'
import { rollEverything, scaleGateways, underLoad } from './rolling.ts'

const number = (name: string, fallback: number) => Number(process.env[name] ?? fallback)
const HARD_STOP_SECONDS = 10

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))

const options = {
  calls: number('CALLS', 500),
  pauseMs: 8000,
  restClients: number('REST_CLIENTS', 20),
  hardStopSeconds: HARD_STOP_SECONDS,
  say: (text: string) => console.log(`${new Date().toISOString().slice(11, 19)} ${text}`),
}
const cluster = await startCluster({
  apis: 2,
  workers: 2,
  hardStopSeconds: HARD_STOP_SECONDS,
  env: { STUN_URLS: 'none', LOG_LEVEL: 'warn', ...BUSY_USERS },
})
try {
  for (const [title, change] of [
    ['rolling restart of every process', rollEverything],
    ['gateways scaled 2, 4, 2', scaleGateways],
  ] as const) {
    options.say(title)
    const { wrong, report } = await underLoad(cluster, options, (fleet) => change(cluster, fleet, options))
    console.log(`${title}\n${report}`)
    console.log(wrong.length > 0 ? `FAILED: ${wrong.join('; ')}` : 'No call and no request failed.')
    if (wrong.length > 0) process.exitCode = 1
  }
} finally {
  await cluster.stop()
}
