// `make status`: what runs in this checkout, and whether it is ready.
import { readDescription } from './description.ts'
import { statusOf } from './edge.ts'
import { findSupervisor } from './supervisor-lock.ts'

/** A probe on the same machine answers in a millisecond; a process that takes longer is stuck. */
const PROBE_DEADLINE_MS = 1_000

/** Prints a line a process. Returns whether a cluster runs and all of it is ready. */
export async function status(runDir: string): Promise<boolean> {
  const description = findSupervisor(runDir) ? readDescription(runDir) : undefined
  if (!description) {
    console.log('nothing runs here')
    return false
  }
  const { edge, gateways, api, workers, redis, postgres, turn, groups } = description
  const members = [...gateways, ...api, ...workers.map((worker) => ({ ...worker, port: 0 }))]
  const states = await Promise.all(
    members.map(({ metrics_port }) => stateOf(`http://127.0.0.1:${metrics_port}/health/ready`)),
  )
  for (const [at, { name, pid, port, metrics_port }] of members.entries()) {
    printLine(name, pid, `${port > 0 ? `port ${port}, ` : ''}metrics ${metrics_port}`, states[at] ?? '')
  }
  if (edge) {
    const scheme = edge.ca === null ? 'http' : 'https'
    states.push(await stateOf(`${scheme}://127.0.0.1:${edge.port}/health`, edge.ca))
    printLine('edge', edge.pid, `${scheme}://localhost:${edge.port}`, states.at(-1) ?? '')
  }
  for (const group of groups.slice(1)) {
    states.push(await stateOf(`${group.url}/health`))
    printLine(`edge ${group.name}`, null, group.url, states.at(-1) ?? '')
  }
  for (const { name, redis: own } of groups) printLine(`redis ${name}`, own.pid, `port ${new URL(own.url).port}`, '')
  if (groups.length === 0) printLine('redis', redis.pid, `port ${redis.port}`, '')
  printLine('postgres', postgres.pid, `port ${new URL(postgres.url).port || 5432}`, '')
  if (turn) printLine('turn', turn.pid, `port ${turn.port}`, '')
  return states.every((state) => state === 'ready')
}

function printLine(name: string, pid: number | null, where: string, state: string): void {
  console.log(`${name.padEnd(10)} pid ${String(pid ?? '-').padEnd(8)} ${where.padEnd(28)} ${state}`.trimEnd())
}

async function stateOf(url: string, ca: string | null = null): Promise<string> {
  try {
    const code = await statusOf(url, ca, PROBE_DEADLINE_MS)
    if (code === 200) return 'ready'
    return code === 404 ? 'draining' : `unfit (${code})`
  } catch {
    return 'down'
  }
}
