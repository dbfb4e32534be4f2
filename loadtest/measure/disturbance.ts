// What else the machine does: figures taken beside somebody's test run are worth nothing, and must show it.
import { readFileSync } from 'node:fs'
import { sleep } from '../load/waiting.ts'

/** Clock ticks of /proc/stat; Linux shows 100 a second to programs on every machine. */
const US_PER_TICK = 10_000
/** Share of one core that others may use while a cell is measured. */
const CALM_CORES = 0.1
const LOOK_MS = 300

/** CPU time that all processes of the machine have used so far, in µs. */
export function readMachineCpuUs(): number {
  const [, user, nice, system, , , irq, softirq] =
    readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.split(/\s+/) ?? []
  return [user, nice, system, irq, softirq].reduce((sum, ticks) => sum + Number(ticks), 0) * US_PER_TICK
}

/** Waits until hardly anybody else computes, `ms` at most; returns how long it took. Nothing of ours may be under load. */
export async function awaitCalm(ms: number): Promise<number> {
  const startAt = performance.now()
  while (performance.now() - startAt < ms) {
    const before = readMachineCpuUs()
    const lookedAt = performance.now()
    await sleep(LOOK_MS)
    if ((readMachineCpuUs() - before) / 1000 / (performance.now() - lookedAt) < CALM_CORES) break
  }
  return performance.now() - startAt
}
