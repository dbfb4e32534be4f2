/** What a storm must leave behind, and its table for people. */
import type { StormResult } from './storm.ts'

export interface StormLimits {
  /** From the kill until everybody is in, ms. */
  allInAfterKillMs: number
  /** Of messages of calls that go on meanwhile, ms. */
  relayP99Ms: number
  rssMib: number
  /** Attempts for each time that a client was let in, on average. */
  attemptsPerEntry: number
}

/** What is wrong with a storm, one sentence each; nothing when all is well. */
export function faultsOfStorm(result: StormResult, limits: StormLimits): string[] {
  const { allInAfterKillMs: allInMs, relayDuring, refused, advised, vitals } = result
  const wrong: string[] = []
  if (allInMs === undefined) wrong.push('not everybody was let in')
  else if (allInMs > limits.allInAfterKillMs) wrong.push(`all were in ${allInMs} ms after the kill`)
  if (advised < refused) wrong.push(`${refused - advised} refusals without advice`)
  if (result.relayLost > 0) wrong.push(`${result.relayLost} messages of the calls that went on were lost`)
  if (result.relayClosed > 0) wrong.push(`${result.relayClosed} connections of the calls that went on were closed`)
  if (relayDuring.p99 > limits.relayP99Ms) wrong.push(`their messages took ${relayDuring.p99} ms (p99)`)
  if (attemptsPerEntry(result) > limits.attemptsPerEntry)
    wrong.push(`${attemptsPerEntry(result)} attempts for an entry`)
  for (const [name, { rssMib }] of Object.entries(vitals))
    if (rssMib > limits.rssMib) wrong.push(`${name} took ${rssMib} MiB`)
  return wrong
}

function attemptsPerEntry({ attempts, attemptsNeeded }: StormResult): number {
  const entries = Object.values(attemptsNeeded).reduce((sum, count) => sum + count, 0)
  return Math.round((attempts / Math.max(1, entries)) * 100) / 100
}

export function formatStorm(result: StormResult): string {
  const { away, relayBefore, relayDuring, vitals, failures } = result
  const entries = Object.entries(result.attemptsNeeded).map(([attempts, count]) => `${attempts}: ${count}`)
  const rows: [string, string | number][] = [
    ['clients', result.clients],
    ['in when the gateway was killed', `${result.inWhenKilled}, after ${result.killedAtMs} ms`],
    ['lost their connection by it', result.lostByKill],
    ['all in, from the start', `${result.allInMs ?? 'never'} ms`],
    ['all in, from the kill', `${result.allInAfterKillMs ?? 'never'} ms`],
    ['let in a second, while they came', Math.round((result.clients / (result.allInMs ?? Number.NaN)) * 1000)],
    ['a client was away', `p50 ${away.p50} ms, p99 ${away.p99} ms, max ${away.max} ms`],
    ['attempts', `${result.attempts}, ${attemptsPerEntry(result)} for each entry (${entries.join(', ')})`],
    ['refused, and told when to come back', `${result.refused}, ${result.advised}`],
    ...Object.entries(failures)
      .sort(([, x], [, y]) => y - x)
      .map(([why, count]): [string, number] => [`  ${why}`, count]),
    ['messages of calls that went on: before', `p50 ${relayBefore.p50} ms, p99 ${relayBefore.p99} ms`],
    ['  and during', `p50 ${relayDuring.p50} ms, p99 ${relayDuring.p99} ms, max ${relayDuring.max} ms`],
    ['  lost, connections closed', `${result.relayLost}, ${result.relayClosed}`],
    ...Object.entries(vitals).map(([name, seen]): [string, string] => [
      name,
      `${seen.connections} connections, ${seen.rssMib} MiB, event loop late by ${seen.lagMaxMs} ms at most, CPU ${seen.cpuSeconds} s`,
    ]),
  ]
  return rows.map(([name, value]) => `  ${name.padEnd(44)} ${value}`).join('\n')
}
