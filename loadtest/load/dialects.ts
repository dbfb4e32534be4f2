// How each system is spoken to: where to connect, what to say until a peer is in its room, and what a message looks like.
import type { CandidateMessage, JoinRoomMessage } from '../../core/protocol/signaling.ts'
import { ID_PLACEHOLDER } from './frames.ts'

/** One side of a call. */
export interface Party {
  callId: string
  side: 'a' | 'b'
  userId: string
  otherId: string
  /** Empty for rivals: they ask nobody who they are. */
  token: string
  /** Where this side connects. */
  port: number
}

/** What a control message asks for: an answer, and whether the connection is now open or in its room. */
export interface Reaction {
  send?: string
  reached?: 'open' | 'joined'
}

export interface Dialect {
  path(party: Party): string
  /** Said as soon as the upgrade is through. */
  greeting(party: Party): Reaction
  /** Answers anything that is neither message nor ack. */
  react(text: string, party: Party): Reaction
  /** The message of a size that every dialect shares, with {@link ID_PLACEHOLDER} in it. */
  message(party: Party): string
  /** Where the name of a message's type starts. */
  typeAt: number
}

/** A usual candidate message of a browser, in bytes. */
export const MESSAGE_BYTES = 283

const CANDIDATE = 'candidate:842163049 1 udp 1677729535 198.51.100.7 46154 typ srflx raddr 0.0.0.0 rport 0 generation 0'

function candidate(party: Party): Omit<CandidateMessage, 'type'> {
  return {
    id: ID_PLACEHOLDER,
    call_id: party.callId,
    from: party.userId,
    to: party.otherId,
    candidate: CANDIDATE,
    sdp_mid: '0',
    sdp_m_line_index: 0,
  }
}

/** JSON of the agreed size: what is too long is cut from the candidate's end, what is too short filled up there. */
function fitted(make: (candidate: string) => unknown): string {
  const missing = MESSAGE_BYTES - JSON.stringify(make(CANDIDATE)).length
  return JSON.stringify(make(missing < 0 ? CANDIDATE.slice(0, missing) : CANDIDATE.padEnd(CANDIDATE.length + missing)))
}

const candidateJson = (party: Party) => fitted((text) => ({ type: 'candidate', ...candidate(party), candidate: text }))

const joinRoom = (party: Party): JoinRoomMessage => ({
  type: 'join-room',
  call_id: party.callId,
  user_id: party.userId,
})

/** Our raw WebSocket protocol. */
export const RAW: Dialect = {
  path: (party) => `/ws/signaling/${party.callId}?token=${party.token}`,
  greeting: (party) => ({ send: JSON.stringify(joinRoom(party)), reached: 'open' }),
  react: (text) => (text.startsWith('{"type":"call-status"') ? { reached: 'joined' } : {}),
  message: candidateJson,
  typeAt: '{"type":"'.length,
}

const SOCKETIO_PATH = '/socket.io/?EIO=4&transport=websocket'

/** Engine.IO v4: 0 open, 2 ping, 3 pong, 4 message; Socket.IO v5 inside: 0 connect, 2 event. */
function reactToSocketIo(text: string, auth: string, joined: (text: string) => Reaction): Reaction {
  if (text.startsWith('0')) return { send: `40${auth}` }
  if (text === '2') return { send: '3' }
  return joined(text)
}

/** Our Socket.IO protocol. */
export const SOCKETIO: Dialect = {
  path: (party) => `${SOCKETIO_PATH}&call_id=${party.callId}`,
  greeting: () => ({}),
  react: (text, party) =>
    reactToSocketIo(text, JSON.stringify({ token: party.token }), (packet) => {
      if (packet.startsWith('40'))
        return { send: `42["join-room",${JSON.stringify(joinRoom(party))}]`, reached: 'open' }
      return packet.startsWith('42["call-status"') ? { reached: 'joined' } : {}
    }),
  message: (party) => `42["candidate",${candidateJson(party)}]`,
  typeAt: '42["'.length,
}

/** A Socket.IO server as people build it: the room is in the query. */
export const PLAIN_SOCKETIO: Dialect = {
  path: (party) => `${SOCKETIO_PATH}&room=${party.callId}`,
  greeting: () => ({}),
  react: (text) => reactToSocketIo(text, '', (packet) => (packet.startsWith('40') ? { reached: 'joined' } : {})),
  message: SOCKETIO.message,
  typeAt: SOCKETIO.typeAt,
}

/** The bare relay: the pair is in the path. */
export const BARE: Dialect = {
  path: (party) => `/${party.callId}/${party.side}`,
  greeting: () => ({ reached: 'joined' }),
  react: () => ({}),
  message: candidateJson,
  typeAt: RAW.typeAt,
}

/** PeerJS: users find each other by their ids; the payload is the application's own. */
export const PEERJS: Dialect = {
  path: (party) => `/peerjs?key=peerjs&id=${party.userId}&token=${party.side}`,
  greeting: () => ({}),
  react: (text) => (text.startsWith('{"type":"OPEN"') ? { reached: 'joined' } : {}),
  message: (party) => {
    const payload = {
      ...candidate(party),
      call_id: undefined,
      from: undefined,
      to: undefined,
      connectionId: party.callId,
    }
    return fitted((text) => ({ type: 'CANDIDATE', dst: party.otherId, payload: { ...payload, candidate: text } }))
  },
  typeAt: RAW.typeAt,
}
