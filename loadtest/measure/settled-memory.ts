// Memory that a process really holds: garbage is collected first, timers and late work have had their time.
import { sleep } from '../load/waiting.ts'
import { readRssKib } from './process-cpu.ts'

/** For processes of a cluster: with it they collect their garbage on SIGUSR2. */
export const COLLECTS_GARBAGE = { NODE_OPTIONS: `--import ${new URL('collect-garbage.mjs', import.meta.url).href}` }

/** For timers and late work of a handshake, then for the collection of garbage. */
const SETTLE_MS = 1_000

/** Resident memory in KiB after garbage collection. Takes a few times `settleMs`. */
export async function readSettledRssKib(pid: number, settleMs = SETTLE_MS): Promise<number> {
  for (let times = 0; times < 2; times++) {
    await sleep(settleMs)
    process.kill(pid, 'SIGUSR2')
  }
  await sleep(settleMs)
  return readRssKib(pid)
}
