// A whole call of a user: initiate, both connect and join, answer, hang up. What is paid for once a call.
import type { User } from '../trials/users.ts'
import { Connection, type LoadState } from './connection.ts'
import type { Party } from './dialects.ts'
import type { HttpLoad } from './http-load.ts'

export interface CycleResult {
  /** Milliseconds of the request. */
  initiateMs: number
  /** From the initiate to both peers joined in an active call. */
  setUpMs: number
}

/** Makes, joins and ends one call; caller and callee connect to the given ports. @throws where a step is refused */
export async function runCallCycle(
  http: HttpLoad,
  state: LoadState,
  { caller, callee, ports }: { caller: User; callee: User; ports: [number, number] },
): Promise<CycleResult> {
  const startedAt = performance.now()
  const body = { caller_id: caller.id, callee_id: callee.id, call_type: 'video' }
  const { call_id: callId } = await http.must<{ call_id: string }>({
    method: 'POST',
    path: '/calls/initiate',
    token: caller.token,
    body,
  })
  const initiateMs = performance.now() - startedAt
  const party = (side: Party['side'], me: User, other: User, port: number): Party => ({
    callId,
    side,
    userId: me.id,
    otherId: other.id,
    token: me.token,
    port,
  })
  const a = new Connection(party('a', caller, callee, ports[0]), state)
  const answered = http.must({
    method: 'PUT',
    path: `/calls/${callId}/answer`,
    token: callee.token,
    body: { user_id: callee.id },
  })
  const b = new Connection(party('b', callee, caller, ports[1]), state)
  await Promise.all([a.reached('joined'), b.reached('joined'), answered])
  const setUpMs = performance.now() - startedAt
  const ended = http.must({ method: 'DELETE', path: `/calls/${callId}`, token: caller.token })
  a.expectEnd()
  b.expectEnd()
  await Promise.all([ended, a.reached('closed'), b.reached('closed')])
  return { initiateMs, setUpMs }
}
