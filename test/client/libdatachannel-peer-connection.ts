/** libdatachannel as the client takes a WebRTC stack: one negotiation, no ICE restart, no media. */
import { type DataChannel, PeerConnection as Native } from 'node-datachannel'
import type { PeerConnection } from '../../client/platform.ts'
import { LOOPBACK } from '../../dev/demo/demo-connection.ts'
import { Ledger, tellCandidate } from './test-connection.ts'

export class LibdatachannelPeerConnection implements PeerConnection {
  readonly stack = 'libdatachannel'
  readonly ledger = new Ledger()
  onnegotiationneeded: PeerConnection['onnegotiationneeded'] = null
  onicecandidate: PeerConnection['onicecandidate'] = null
  onconnectionstatechange: PeerConnection['onconnectionstatechange'] = null
  ontrack: PeerConnection['ontrack'] = null
  readonly #native: Native
  #described: () => void = () => {}
  #closed = false

  constructor(_configuration: RTCConfiguration) {
    this.#native = new Native('test', { iceServers: [], bindAddress: LOOPBACK, disableAutoNegotiation: true })
    this.#native.onLocalDescription(() => this.#described())
    this.#native.onLocalCandidate((line, sdpMid) =>
      tellCandidate(this, { candidate: line.replace(/^a=/, ''), sdpMid, sdpMLineIndex: null }),
    )
    this.#native.onStateChange(() => this.onconnectionstatechange?.call(this.#self, new Event('connectionstatechange')))
    this.#native.onDataChannel((channel) => this.#follow(channel))
  }

  get connectionState(): RTCPeerConnectionState {
    return this.#closed ? 'closed' : this.#native.state()
  }

  get signalingState(): RTCSignalingState {
    return this.#closed ? 'closed' : this.#native.signalingState()
  }

  get localDescription(): RTCSessionDescription | null {
    return this.#closed ? null : (this.#native.localDescription() as RTCSessionDescription | null)
  }

  get remoteDescription(): RTCSessionDescription | null {
    return this.#closed ? null : (this.#native.remoteDescription() as RTCSessionDescription | null)
  }

  async setLocalDescription(): Promise<void> {
    const described = new Promise<void>((resolve) => {
      this.#described = resolve
    })
    this.#native.setLocalDescription(this.signalingState === 'have-remote-offer' ? 'answer' : 'offer')
    await described
  }

  async setRemoteDescription({ type, sdp = '' }: RTCSessionDescriptionInit): Promise<void> {
    this.#native.setRemoteDescription(sdp, type)
  }

  async addIceCandidate(candidate?: RTCIceCandidateInit | null): Promise<void> {
    if (this.ledger.takes(candidate) || !candidate?.candidate) return
    this.#native.addRemoteCandidate(candidate.candidate, candidate.sdpMid ?? '0')
  }

  openChannel(): void {
    this.#follow(this.#native.createDataChannel('test'))
    queueMicrotask(() => this.onnegotiationneeded?.call(this.#self, new Event('negotiationneeded')))
  }

  say(): void {
    this.ledger.say(this)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#native.close()
  }

  get #self(): RTCPeerConnection {
    return this as unknown as RTCPeerConnection
  }

  #follow(channel: DataChannel): void {
    const { channel: end } = this.ledger
    const open = () => end.isOpen((text) => void channel.sendMessage(text))
    channel.onMessage((data) => end.received(String(data)))
    channel.onOpen(open)
    if (channel.isOpen()) open()
  }
}
