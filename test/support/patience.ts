/**
 * How much longer tests wait on this machine than on a calm one. A deadline only bounds how long a failure takes, so it
 * is generous; what a test asserts about time is another matter, and compares what was measured in the same run.
 */

/** How long the measurement keeps the processor busy. */
const SAMPLE_MS = 50

/** Above it something is wrong that waiting does not mend. */
const MOST = 10

/** A test that fits its deadline on a calm machine fits three times that on one whose load comes and goes. */
const RESERVE = 3

/** How slow the machine was as this process began: 1 on a calm one, 2 where two processes shared each processor. */
export const SLOWNESS = measureSlowness()

/** What deadlines of tests are multiplied by. */
export const PATIENCE = RESERVE * SLOWNESS

/** @param ms on a calm machine */
export function patient(ms: number): number {
  return Math.round(ms * PATIENCE)
}

/**
 * A period of the product that a test has shortened, in seconds, for the environment of a cluster: as short as this
 * machine allows. A lease of 2 s is no lease where a process waits that long for its turn.
 */
export function shortSeconds(calmSeconds: number): string {
  return String(Math.round(calmSeconds * SLOWNESS * 1000) / 1000)
}

/** 1 where a busy loop has a processor to itself, 2 where it shares one with another process, and so on. */
function measureSlowness(): number {
  const startedAt = performance.now()
  const { user, system } = process.cpuUsage()
  let usedMs = 0
  while (usedMs < SAMPLE_MS) {
    const used = process.cpuUsage({ user, system })
    usedMs = (used.user + used.system) / 1000
  }
  return Math.min(MOST, Math.max(1, (performance.now() - startedAt) / usedMs))
}
