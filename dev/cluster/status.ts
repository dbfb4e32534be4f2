// `make status`: what runs in this checkout, and whether it is ready.
import { readDescription } from './description.ts'
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
  const { edge, gateways, api, workers, redis, postgres, turn } = description
  const members = [...gateways, ...api, ...workers.map((worker) => ({ ...worker, port: 0 }))]
  const states = await Promise.all(
    members.map(({ metrics_port }) => stateOf(`http://127.0.0.1:${metrics_port}/health/ready`)),
  )
  for (const [at, { name, pid, port, metrics_port }] of members.entries()) {
    printLine(name, pid, `${port > 0 ? `port ${port}, ` : ''}metrics ${metrics_port}`, states[at] ?? '')
  }
  if (edge) {
    states.push(await stateOf(`http://127.0.0.1:${edge.port}/health`))
    printLine('edge', edge.pid, `http://localhost:${edge.port}`, states.at(-1) ?? '')
  }
  printLine('redis', redis.pid, `port ${redis.port}`, '')
  printLine('postgres', postgres.pid, `port ${new URL(postgres.url).port || 5432}`, '')
  if (turn) printLine('turn', turn.pid, `port ${turn.port}`, '')
  return states.every((state) => state === 'ready')
}

function printLine(name: string, pid: number | null, where: string, state: string): void {
  console.log(`${name.padEnd(10)} pid ${String(pid ?? '-').padEnd(8)} ${where.padEnd(28)} ${state}`.trimEnd())
}

async function stateOf(url: string): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_DEADLINE_MS) })
    await response.arrayBuffer()
    if (response.ok) return 'ready'
    return response.status === 404 ? 'draining' : `unfit (${response.status})`
  } catch {
    return 'down'
  }
}
