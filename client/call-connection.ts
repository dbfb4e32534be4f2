/** The peer connection of a call with all that keeps it: negotiation, recovery, reports, streams. */
import type { ConnectionStateMessage, IceServer } from '../core/protocol/signaling.ts'
import type { Said } from './call-signaling.ts'
import { IceRecovery } from './ice-recovery.ts'
import type { LocalMedia } from './local-media.ts'
import { Negotiation } from './negotiation.ts'
import type { Settings } from './options.ts'
import type { PeerConnection } from './platform.ts'
import { QualityReports } from './quality.ts'

export interface ConnectionOptions {
  settings: Settings
  call: { id: string; direction: 'outgoing' | 'incoming' }
  video: boolean
  iceServers: IceServer[]
  media: LocalMedia
  say(said: Said): void
  report(state: ConnectionStateMessage['state'], stats?: Record<string, unknown>): void
  changed(state: RTCPeerConnectionState): void
  remoteStream(stream: MediaStream): void
  failed(error: unknown): void
  giveUp(): void
}

export class CallConnection {
  readonly connection: PeerConnection
  readonly #options: ConnectionOptions
  readonly #negotiation: Negotiation
  readonly #recovery: IceRecovery
  readonly #reports: QualityReports
  #remoteStream: MediaStream | undefined
  #closed = false

  constructor(options: ConnectionOptions) {
    this.#options = options
    const { settings, call, iceServers } = options
    const connection = new settings.RTCPeerConnection({ ...settings.rtc, iceServers })
    const isCaller = call.direction === 'outgoing'
    this.connection = connection
    this.#recovery = new IceRecovery({
      leads: isCaller,
      giveUpAfterMs: settings.giveUpAfterMs,
      restart: () => this.#negotiation.restart(),
      giveUp: options.giveUp,
    })
    this.#negotiation = new Negotiation({
      connection,
      polite: !isCaller,
      say: options.say,
      failed: options.failed,
    })
    this.#reports = new QualityReports(connection, options.report)
    connection.onconnectionstatechange = () => this.#changed()
    connection.ontrack = ({ track, streams: [stream] }) => this.#gotTrack(track, stream)
    settings.onPeerConnection(connection, call)
    this.#addMedia(isCaller)
  }

  /** Takes what the other side said. */
  take(said: Said): void {
    if (said.type === 'offer') this.#recovery.offered()
    void this.#negotiation.take(said).then(() => {
      if (this.connection.remoteDescription !== null) this.#recovery.agreed()
    })
  }

  /** Signaling is there again, or for the first time. */
  joined(): void {
    this.#recovery.signaling(true)
    void this.#reports.send()
  }

  signalingLost(): void {
    this.#recovery.signaling(false)
  }

  networkChanged(): void {
    if (this.connection.remoteDescription !== null) this.#recovery.networkChanged()
  }

  /** A message may be missing, or the other side's connection has failed. */
  lookForWay(): void {
    this.#recovery.lookForWay()
  }

  /** A further track of this side; the two negotiate by themselves. */
  addTrack(track: MediaStreamTrack, stream: MediaStream): void {
    if (!this.#closed) this.connection.addTrack?.(track, stream)
  }

  /** New credentials serve the next restart. */
  useIceServers(iceServers: IceServer[]): void {
    try {
      this.connection.setConfiguration?.({ ...this.#options.settings.rtc, iceServers })
    } catch (error) {
      this.#options.failed(error)
    }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#negotiation.close()
    this.#recovery.close()
    this.#reports.close()
    this.connection.onconnectionstatechange = null
    this.connection.ontrack = null
    this.connection.close()
  }

  /** One stream for a screen, however the other side's stack has grouped its tracks. */
  #gotTrack(track: MediaStreamTrack, stream: MediaStream | undefined): void {
    this.#remoteStream ??= stream ?? new MediaStream()
    if (!this.#remoteStream.getTracks().includes(track)) this.#remoteStream.addTrack(track)
    this.#options.remoteStream(this.#remoteStream)
  }

  #changed(): void {
    const { connectionState } = this.connection
    this.#recovery.changed(connectionState)
    this.#reports.changed()
    this.#options.changed(connectionState)
  }

  /** The callee's tracks go into the sections that the caller's offer brings. */
  #addMedia(isCaller: boolean): void {
    const { stream } = this.#options.media
    if (stream === undefined) return
    const tracks = stream.getTracks()
    for (const track of tracks) this.addTrack(track, stream)
    if (!isCaller) return
    for (const kind of this.#options.video ? ['audio', 'video'] : ['audio'])
      if (!tracks.some((track) => track.kind === kind))
        this.connection.addTransceiver?.(kind, { direction: 'recvonly' })
  }
}
