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

/** What deadlines of tests are multiplied by: {@link RESERVE}, times how slow the machine was as this process began. */
export const PATIENCE = RESERVE * measureSlowness()

/** @param ms on a calm machine */
export function patient(ms: number): number {
  return Math.round(ms * PATIENCE)
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
