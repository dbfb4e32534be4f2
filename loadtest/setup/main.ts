// `make bench-setup`: how long it takes from the press of the button until two WebRTC stacks are connected.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startCluster } from '../../dev/cluster/cluster.ts'
import { stopLibdatachannel } from '../../dev/demo/libdatachannel-connection.ts'
import { sharedStage } from '../../test/browser/stage.ts'
import { closeWhatIsShared } from '../../test/support/at-the-end.ts'
import { stopAllClusters } from '../../test/support/clusters.ts'
import { describeMachine } from '../measure/machine.ts'
import { timeBrowserCall } from './browser-calls.ts'
import { type Row, renderSetup, renderSetupPage } from './page.ts'
import { timeCall } from './timed-call.ts'

/** Of the first row; the second has half as many. */
const CALLS = Number(process.env.CALLS ?? 200)
const BROWSER_CALLS = process.env.BROWSER === '1' ? 30 : 0
/** The code of both sides and of the servers is compiled then. */
const WARM_UP_CALLS = 10
/** Nothing here may run for ever; what a supervised process still does ends with this one. */
const DEADLINE_MS = 300_000

const ROWS: { title: string; at: Parameters<typeof timeCall>[1]; count: number }[] = [
  { title: 'By the edge, which leads both sides to one gateway', at: ['edge', 'edge'], count: CALLS },
  { title: 'Each side straight to a gateway of its own', at: [0, 1], count: Math.ceil(CALLS / 2) },
]

const startedAt = Date.now()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130))
setTimeout(() => {
  console.error('The run took too long.')
  process.exit(1)
}, DEADLINE_MS).unref()

const machine = await describeMachine()
const cluster = await startCluster({ env: { STUN_URLS: 'none' } })
const rows: Row[] = []
try {
  for (const { title, at, count } of ROWS) rows.push({ title, ...(await timeCalls(at, count)) })
} finally {
  await cluster.stop()
  stopLibdatachannel()
}
const browser = await timeBrowserCalls()
console.log(`\n${renderSetup({ rows, browser }).join('\n')}`)
const date = new Date().toISOString().slice(0, 10)
const command = `${process.env.CALLS === undefined ? '' : `CALLS=${CALLS} `}${BROWSER_CALLS > 0 ? 'BROWSER=1 ' : ''}make bench-setup`
const seconds = (Date.now() - startedAt) / 1000
const page = renderSetupPage({ date, command, machine, seconds, rows, browser })
writeFileSync(join(import.meta.dirname, `../results/${date}-setup.md`), page)
console.log(`written: loadtest/results/${date}-setup.md`)

async function timeCalls(at: (typeof ROWS)[number]['at'], count: number): Promise<Omit<Row, 'title'>> {
  const row: Omit<Row, 'title'> = { calls: [], failed: 0 }
  for (let call = 0; call < WARM_UP_CALLS + count; call += 1) {
    const times = await timeCall(cluster, at).catch((error: Error) => console.log(error.message))
    if (call < WARM_UP_CALLS) continue
    if (times) row.calls.push(times)
    else row.failed += 1
    if (row.calls.length % 50 === 0) console.log(`${at.join(' and ')}: ${row.calls.length} of ${count} calls`)
  }
  return row
}

async function timeBrowserCalls(): Promise<number[]> {
  if (BROWSER_CALLS === 0) return []
  try {
    const stage = await sharedStage()
    const times: number[] = []
    for (let call = 0; call < BROWSER_CALLS + 3; call += 1) times.push(await timeBrowserCall(stage))
    return times.slice(3)
  } finally {
    await closeWhatIsShared()
    await stopAllClusters()
  }
}
