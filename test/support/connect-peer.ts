/** Opens a peer of either transport. */
import { type Peer, type PeerOptions, Refused } from './peer.ts'
import { RawPeer } from './raw-peer.ts'
import { SocketIoPeer } from './socketio-peer.ts'

export type PeerKind = Peer['kind']
export const PEER_KINDS: readonly PeerKind[] = ['raw', 'socketio']

/** @throws Refused where the handshake is refused */
export function connectPeer(kind: PeerKind, options: PeerOptions): Promise<Peer> {
  return kind === 'raw' ? RawPeer.connect(options) : SocketIoPeer.connect(options)
}

/** The refusal of a handshake that must not succeed. */
export async function refusalOf(kind: PeerKind, options: PeerOptions): Promise<Refused> {
  try {
    await connectPeer(kind, options)
  } catch (error) {
    if (error instanceof Refused) return error
    throw error
  }
  throw new Error('The handshake was accepted')
}
