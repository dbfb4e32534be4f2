// `make bench` and `make bench-quick`: the cluster against what people build by the book, in one run on one machine.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Bench, type Settings } from './bench.ts'
import { describeMachine } from './measure/machine.ts'
import { drawChart } from './report/chart.ts'
import { renderPage, renderTables } from './report/page.ts'
import { Stage } from './servers.ts'
import { FULL_BLOCKS, QUICK_BLOCKS } from './systems.ts'

const FULL: Settings = {
  rounds: 3,
  pairs: 200,
  blocks: FULL_BLOCKS,
  warmUpMs: 3_000,
  rates: [
    { perSecond: 10_000, ms: 3_000 },
    { perSecond: 4_000, ms: 2_500 },
    { perSecond: 100, ms: 2_000 },
  ],
  saturationMs: 2_000,
  idleConnections: 2_000,
  connectMs: 5_000,
  calmMs: { each: 15_000, all: 240_000 },
}

const QUICK: Settings = {
  ...FULL,
  rounds: 1,
  blocks: QUICK_BLOCKS,
  warmUpMs: 1_000,
  rates: [
    { perSecond: 10_000, ms: 2_000 },
    { perSecond: 100, ms: 1_000 },
  ],
  saturationMs: 1_000,
  idleConnections: 0,
  calmMs: { each: 3_000, all: 20_000 },
}

/** Nothing here may run for ever: a run that takes longer is given up. */
const DEADLINE_MINUTES = { full: 30, quick: 4 }

const quick = process.argv.includes('--quick')
const settings = quick ? QUICK : FULL
const startedAt = Date.now()
const ending = new AbortController()

if (process.platform !== 'linux') {
  console.error('The bench reads the CPU time of other processes from /proc: it runs on Linux.')
  process.exit(1)
}
// Ctrl-C once ends everything in order, after the window under way; twice at once, the processes are killed then.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    if (ending.signal.aborted) process.exit(130)
    ending.abort(new Error(`ended by ${signal}`))
    say('ending; once more to end at once')
  })
const deadlineMs = DEADLINE_MINUTES[quick ? 'quick' : 'full'] * 60_000
setTimeout(() => ending.abort(new Error('the run took too long')), deadlineMs).unref()
// What hangs in spite of that is cut: the supervised processes die with this one.
setTimeout(() => process.exit(1), deadlineMs + 60_000).unref()

try {
  await run()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = ending.signal.aborted ? 130 : 1
}

async function run(): Promise<void> {
  const machine = await describeMachine()
  say(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, Redis ${machine.redis}, commit ${machine.commit}`)
  const stage = await Stage.set(ending.signal)
  const bench = new Bench(stage, settings, { say, signal: ending.signal })
  try {
    await bench.run()
  } finally {
    await stage.strike()
  }
  const { results } = bench
  if (quick) {
    console.log(`\n${renderTables(results, settings)}`)
    return
  }
  const date = new Date().toISOString().slice(0, 10)
  const folder = join(import.meta.dirname, 'results')
  mkdirSync(folder, { recursive: true })
  const minutes = (Date.now() - startedAt) / 60_000
  const facts = { date, command: 'make bench', machine, minutes, settings, chart: `${date}-bench.svg` }
  const caption = `10,000 messages/s, ${settings.pairs} calls, ${machine.cores} cores shared with the generator, ${date}`
  writeFileSync(join(folder, facts.chart), drawChart(results, caption))
  writeFileSync(join(folder, `${date}-bench.md`), renderPage(results, facts))
  say(`written: loadtest/results/${date}-bench.md`)
}

function say(line: string): void {
  const seconds = Math.floor((Date.now() - startedAt) / 1000)
  console.log(`${String(Math.floor(seconds / 60)).padStart(2)}:${String(seconds % 60).padStart(2, '0')} ${line}`)
}
