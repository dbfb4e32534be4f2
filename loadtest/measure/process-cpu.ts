// CPU time of other processes, from the kernel's own accounting.
import { readdirSync, readFileSync } from 'node:fs'

const US_PER_NS = 1 / 1000

/**
 * User and system time of a process so far, all its living threads together, in microseconds. Linux keeps this in ns.
 * A process that is gone counts for nothing; that it is gone shows in its lost connections.
 */
export function readCpuUs(pid: number): number {
  let ns = 0
  for (const thread of listThreads(pid)) {
    try {
      ns += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ', 1)[0])
    } catch {
      // A thread that ended between the two reads.
    }
  }
  return ns * US_PER_NS
}

function listThreads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

export function sumCpuUs(pids: Iterable<number>): number {
  let us = 0
  for (const pid of pids) us += readCpuUs(pid)
  return us
}

/** A process with its children: Postgres serves each connection by one. */
export function withChildren(pid: number): number[] {
  const children = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && parentOf(entry) === pid)
  return [pid, ...children.map(Number)]
}

function parentOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command in parentheses may hold spaces, so fields are counted from the last one. Field 4 is the parent.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined
  }
}

/** What of a process is in memory now (VmRSS), in KiB. */
export function readRssKib(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}
