/** The packets of Socket.IO v5 in which one side of a call speaks, as text. */
import type { Party, TestCall } from '../support/calls.ts'

/** CONNECT to the main namespace. */
export function connectPacket(party: Party): string {
  return `40${JSON.stringify({ token: party.token })}`
}

/** EVENT, with an acknowledgement asked for where there is an id. */
export function eventPacket(name: string, payload: unknown, ackId: number | '' = ''): string {
  return `42${ackId}${JSON.stringify([name, payload])}`
}

export function joinPacket(call: TestCall, party: Party, ackId: number | '' = ''): string {
  return eventPacket('join-room', { type: 'join-room', call_id: call.id, user_id: party.id }, ackId)
}

/** A candidate from the caller to the callee. */
export function candidatePacket(call: TestCall, candidate: string, ackId: number | '' = ''): string {
  return eventPacket('candidate', candidateOf(call, candidate), ackId)
}

export function candidateOf(call: TestCall, candidate: string) {
  const ids = { call_id: call.id, from: call.caller.id, to: call.callee.id }
  return { type: 'candidate', ...ids, candidate, sdp_mid: '0', sdp_m_line_index: 0 }
}

/** The text of a candidate's EVENT; undefined for any other packet. */
export function readCandidate(packet: string): string | undefined {
  if (!packet.startsWith('42["candidate",')) return undefined
  return (JSON.parse(packet.slice(2)) as [string, { candidate: string }])[1].candidate
}

export const isJoined = (packet: string) => packet.startsWith('42["user-joined",')
export const isStatus = (packet: string) => packet.startsWith('42["call-status",')
export const isError = (packet: string) => packet.startsWith('42["error",')
