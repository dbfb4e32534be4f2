/** Opens a peer of either transport. */
import { setTimeout as pause } from 'node:timers/promises'
import { patient } from './patience.ts'
import { type Peer, type PeerOptions, Refused } from './peer.ts'
import { RawPeer } from './raw-peer.ts'
import { SocketIoPeer } from './socketio-peer.ts'

export type PeerKind = Peer['kind']
export const PEER_KINDS: readonly PeerKind[] = ['raw', 'socketio']

/** How long a gateway may ask for another try, on a calm machine. */
const ADMISSION_MS = 10_000

/**
 * Connects as a client that keeps to the protocol: where a busy gateway asks to be tried again, it does so when told.
 * @throws Refused where the handshake is refused for another reason, or still after {@link ADMISSION_MS}
 */
export async function connectPeer(kind: PeerKind, options: PeerOptions): Promise<Peer> {
  const deadlineAt = Date.now() + patient(ADMISSION_MS)
  for (;;) {
    try {
      return await connectOnce(kind, options)
    } catch (error) {
      const retryAfterMs = error instanceof Refused ? error.retryAfterMs : undefined
      if (retryAfterMs === undefined || Date.now() + retryAfterMs > deadlineAt) throw error
      await pause(retryAfterMs)
    }
  }
}

/** The refusal of a handshake that must not succeed, whatever advice it carries. */
export async function refusalOf(kind: PeerKind, options: PeerOptions): Promise<Refused> {
  try {
    await connectOnce(kind, options)
  } catch (error) {
    if (error instanceof Refused) return error
    throw error
  }
  throw new Error('The handshake was accepted')
}

function connectOnce(kind: PeerKind, options: PeerOptions): Promise<Peer> {
  return kind === 'raw' ? RawPeer.connect(options) : SocketIoPeer.connect(options)
}
