/** Signaling and peer connection of a call that this device takes part in, from the join to the end. */
import type { CallStatusMessage, IceServer, RelayedMessage } from '../core/protocol/signaling.ts'
import { CallConnection } from './call-connection.ts'
import { type CallContext, handshakeAddress } from './call-context.ts'
import { CallSignaling, type Said } from './call-signaling.ts'
import { asCallingError, type CallingError } from './errors.ts'
import type { LocalMedia } from './local-media.ts'
import type { SocketEnd } from './reconnecting-socket.ts'

export interface SessionOptions {
  id: string
  peerId: string
  direction: 'outgoing' | 'incoming'
  video: boolean
  signalingUrl: string
  media: LocalMedia
  iceServers: IceServer[]
}

export interface SessionListener {
  status(message: CallStatusMessage): void
  /** The peer connection stands. */
  connected(): void
  reconnecting(isSo: boolean): void
  peerPresent(present: boolean): void
  remoteStream(stream: MediaStream): void
  failed(error: CallingError): void
  /** No way was found for the media. */
  gaveUp(): void
  ended(end: SocketEnd): void
}

export class CallSession {
  readonly connection: CallConnection
  readonly #signaling: CallSignaling
  readonly #listener: SessionListener
  #hasJoined = false
  #hasConnected = false
  #signalingLost = false
  #mediaLost = false

  constructor(context: CallContext, options: SessionOptions, listener: SessionListener) {
    this.#listener = listener
    const { settings, rest, identity } = context
    const { id, peerId, direction } = options
    this.#signaling = new CallSignaling(
      {
        WebSocket: settings.WebSocket,
        rest,
        callId: id,
        userId: identity.userId,
        otherId: peerId,
        address: () => handshakeAddress(settings, identity, new URL(options.signalingUrl)),
      },
      {
        joined: () => this.#joined(),
        lost: () => this.#lost(),
        relayed: (message) => this.connection.take(asSaid(message)),
        status: (message) => listener.status(message),
        peerPresent: (present) => listener.peerPresent(present),
        iceServers: (servers) => {
          if (settings.iceServers === undefined) this.connection.useIceServers(servers)
        },
        incomplete: () => this.connection.lookForWay(),
        peerFailed: () => this.connection.lookForWay(),
        failed: (error) => listener.failed(error),
        ended: (end) => listener.ended(end),
      },
    )
    this.connection = new CallConnection({
      settings,
      call: { id, direction },
      video: options.video,
      iceServers: options.iceServers,
      media: options.media,
      say: (said) => this.#signaling.say(said),
      report: (state, stats) => this.#signaling.report(state, stats),
      changed: (state) => this.#changed(state),
      remoteStream: (stream) => listener.remoteStream(stream),
      failed: (error) => listener.failed(asCallingError(error, 'WEBRTC_CONNECTION_FAILED')),
      giveUp: () => listener.gaveUp(),
    })
  }

  start(): void {
    this.#signaling.start()
  }

  networkChanged(): void {
    this.#signaling.renew()
    this.connection.networkChanged()
  }

  close(): void {
    this.connection.close()
    this.#signaling.close()
  }

  #joined(): void {
    this.#hasJoined = true
    this.#signalingLost = false
    this.connection.joined()
    this.#tell()
  }

  #lost(): void {
    this.#signalingLost = this.#hasJoined
    this.connection.signalingLost()
    this.#tell()
  }

  #changed(state: RTCPeerConnectionState): void {
    if (state === 'connected') {
      this.#hasConnected = true
      this.#mediaLost = false
      this.#listener.connected()
    } else if (state === 'disconnected' || state === 'failed') this.#mediaLost = this.#hasConnected
    this.#tell()
  }

  #tell(): void {
    this.#listener.reconnecting(this.#signalingLost || this.#mediaLost)
  }
}

/** A relayed message without what its way has added. */
function asSaid(message: RelayedMessage): Said {
  if (message.type !== 'candidate') return { type: message.type, sdp: message.sdp }
  const { candidate, sdp_mid = null, sdp_m_line_index = null } = message
  return { type: message.type, candidate, sdp_mid, sdp_m_line_index }
}
