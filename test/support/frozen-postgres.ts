/** A Postgres that is there and says nothing: its server and every backend stand still, connections stay open. */
import { readdirSync, readFileSync } from 'node:fs'
import type { Cluster } from '../../dev/cluster/cluster.ts'

/** Stops the private cluster's Postgres until `thaw` is called; the backends of new connections stand still, too. */
export function freezePostgres(cluster: Cluster): { thaw(): void } {
  const { pid } = cluster.description.postgres
  if (pid === null) throw new Error('Postgres is not of this cluster, or is down')
  // The server first: it begins no backend that would be missed.
  process.kill(pid, 'SIGSTOP')
  const frozen = [pid, ...childrenOf(pid)]
  for (const each of frozen) signal(each, 'SIGSTOP')
  return {
    thaw() {
      for (const each of frozen) signal(each, 'SIGCONT')
    },
  }
}

/** A backend may end by itself between the list and its signal. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === parent)
}

/** proc(5): the parent is the second word after the command's name, which is in parentheses and may hold any. */
function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined
  }
}
