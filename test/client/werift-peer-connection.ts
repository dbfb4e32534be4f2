/** werift as the client takes a WebRTC stack. */
import { type RTCDataChannel, RTCPeerConnection } from 'werift'
import type { PeerConnection } from '../../client/platform.ts'
import { LOOPBACK } from '../../dev/demo/demo-connection.ts'
import { Ledger } from './test-connection.ts'

/** Its own handlers have types of its own; what they are called with is what a browser gives, as far as it is read. */
type Standard = Pick<PeerConnection, 'onicecandidate' | 'onnegotiationneeded' | 'onconnectionstatechange' | 'ontrack'>

class Werift extends RTCPeerConnection {
  readonly stack = 'werift'
  readonly ledger = new Ledger()

  constructor({ iceServers = [] }: RTCConfiguration) {
    super({
      iceServers: iceServers.flatMap(({ urls, username, credential }) =>
        [urls].flat().map((url) => ({ urls: url, username, credential })),
      ),
      iceUseIpv6: false,
      // Else a transport that is bundled away keeps its socket.
      bundlePolicy: 'max-bundle',
      iceAdditionalHostAddresses: [LOOPBACK],
    })
    this.onDataChannel.subscribe((channel) => this.#follow(channel))
  }

  openChannel(): void {
    this.#follow(this.createDataChannel('test'))
  }

  say(): void {
    this.ledger.say(this as unknown as Standard)
  }

  /** As the standard has it: when the description is set, not when all candidates are found. */
  override setLocalDescription(...args: Parameters<RTCPeerConnection['setLocalDescription']>): Promise<never> {
    const described = new Promise<void>((resolve) => this.signalingStateChange.once(() => queueMicrotask(resolve)))
    const gathered = super.setLocalDescription(...args)
    return Promise.race([described, gathered]) as Promise<never>
  }

  override async addIceCandidate(candidate?: Parameters<RTCPeerConnection['addIceCandidate']>[0]): Promise<void> {
    if (!this.ledger.takes(candidate as RTCIceCandidateInit)) await super.addIceCandidate(candidate)
  }

  #follow(channel: RTCDataChannel): void {
    const { channel: end } = this.ledger
    const open = () => end.isOpen((text) => channel.send(text))
    channel.onMessage.subscribe((data) => end.received(String(data)))
    channel.stateChanged.subscribe((state) => {
      if (state === 'open') open()
    })
    if (channel.readyState === 'open') open()
  }
}

export const WeriftPeerConnection = Werift as unknown as new (
  configuration: RTCConfiguration,
) => PeerConnection & Pick<Werift, 'ledger' | 'openChannel' | 'say' | 'stack' | 'iceGeneration'>
