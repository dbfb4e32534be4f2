// What the steps of a scenario do to the service, over HTTP and sockets, as a client of the contract would.
import { ReconnectingPeer } from './reconnecting-peer.mjs'

/** Given by loadtest/scenarios.ts, with the users of the run. */
const target = process.env.TARGET ?? 'http://localhost:8093'
const REQUEST_DEADLINE_MS = 10_000

/** @throws with the answer where it is no success */
export async function ask(token, method, path, body) {
  const response = await fetch(`${target}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(REQUEST_DEADLINE_MS),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path.split('/')[1]} answered ${response.status}`)
  return JSON.parse(text)
}

/** A call between the two users of a row, answered. Returns its id. */
export async function callAndAnswer({ caller, callerToken, callee, calleeToken }) {
  const body = { caller_id: caller, callee_id: callee, call_type: 'video' }
  const { call_id: callId } = await ask(callerToken, 'POST', '/calls/initiate', body)
  await ask(calleeToken, 'PUT', `/calls/${callId}/answer`, { user_id: callee })
  return callId
}

export function hangUp({ callerToken }, callId) {
  return ask(callerToken, 'DELETE', `/calls/${callId}`)
}

/** Both sides of an answered call, joined. What one sends, the other measures. */
export async function joinBoth(vars, callId, events) {
  const { caller, callerToken, callee, calleeToken } = vars
  const common = { origin: target.replace(/^http/, 'ws'), callId, events }
  const peers = [
    new ReconnectingPeer({ ...common, userId: caller, otherId: callee, token: callerToken }),
    new ReconnectingPeer({ ...common, userId: callee, otherId: caller, token: calleeToken }),
  ]
  peers[0].partner = peers[1]
  peers[1].partner = peers[0]
  await Promise.all(peers.map((peer) => peer.joined()))
  return peers
}
