// Calls for a load: real ones, made and answered over HTTP, for ours; made-up ids for rivals, which ask nobody.
import { randomUUID } from 'node:crypto'
import type { Cluster } from '../dev/cluster/cluster.ts'
import { mintToken } from '../dev/cluster/token-key.ts'
import type { Party } from './load/dialects.ts'
import { type Pair, seededRandom } from './load/load.ts'

/** Requests under way at once while calls are made. */
const AT_ONCE = 16

/** Where the peers of calls connect: both of a call to one node, as the edge does, or each to any. */
export type Placement = 'affine' | 'random'

/** Call pairs spread over nodes. The same seed places them the same way. */
export function place(calls: Pair[], ports: number[], placement: Placement, seed: number): Pair[] {
  const random = seededRandom(seed)
  const anyPort = () => ports[Math.floor(random() * ports.length)] ?? 0
  return calls.map(([caller, callee], index) => {
    const own = ports[index % ports.length] ?? 0
    const [first, second] = placement === 'affine' ? [own, own] : [anyPort(), anyPort()]
    return [
      { ...caller, port: first },
      { ...callee, port: second },
    ]
  })
}

/** Calls that nobody knows of. */
export function inventCalls(count: number): Pair[] {
  return Array.from({ length: count }, () => pairOf(randomUUID(), randomUUID(), randomUUID(), () => ''))
}

/** Answered calls between users who never existed before, through the API process. */
export async function makeCalls(cluster: Cluster, count: number): Promise<Pair[]> {
  const pairs: Pair[] = []
  const key = { secret: cluster.jwtSecret }
  const one = async () => {
    const [caller, callee] = [randomUUID(), randomUUID()]
    const tokens = new Map<string, string>([caller, callee].map((user) => [user, mintToken(key, { user })]))
    const tokenOf = (user: string) => tokens.get(user) ?? ''
    const initiated = await ask(cluster, tokenOf(caller), 'POST', '/calls/initiate', {
      caller_id: caller,
      callee_id: callee,
      call_type: 'video',
    })
    await ask(cluster, tokenOf(callee), 'PUT', `/calls/${initiated.call_id}/answer`, { user_id: callee })
    pairs.push(pairOf(initiated.call_id, caller, callee, tokenOf))
  }
  let left = count
  const worker = async () => {
    while (left-- > 0) await one()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return pairs
}

function pairOf(callId: string, caller: string, callee: string, tokenOf: (user: string) => string): Pair {
  const party = (side: Party['side'], userId: string, otherId: string): Party => ({
    callId,
    side,
    userId,
    otherId,
    token: tokenOf(userId),
    port: 0,
  })
  return [party('a', caller, callee), party('b', callee, caller)]
}

async function ask(
  cluster: Cluster,
  token: string,
  method: string,
  path: string,
  body: object,
): Promise<{ call_id: string }> {
  const response = await fetch(`${cluster.api(0).url}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`)
  return JSON.parse(text) as { call_id: string }
}
