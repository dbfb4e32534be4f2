// The caller's WebRTC stack: werift, written in TypeScript from the RFCs.
import { type RTCDataChannel, RTCPeerConnection } from 'werift'
import {
  CHANNEL,
  ChannelEnd,
  type DemoConnection,
  DIRECT,
  type IceOptions,
  LOOPBACK,
  type OnCandidate,
} from './demo-connection.ts'

export function createWeriftConnection(onCandidate: OnCandidate, ice: IceOptions = DIRECT): DemoConnection {
  const end = new ChannelEnd()
  const connection = new RTCPeerConnection({
    iceServers: ice.iceServers.flatMap(({ urls, ...keys }) => urls.map((url) => ({ urls: url, ...keys }))),
    iceTransportPolicy: ice.relayOnly ? 'relay' : 'all',
    iceUseIpv6: false,
    iceAdditionalHostAddresses: [LOOPBACK],
  })
  connection.onDataChannel.subscribe((channel) => follow(channel, end))
  connection.onIceCandidate.subscribe((candidate) => {
    if (!candidate) return
    const { candidate: text, sdpMid, sdpMLineIndex } = candidate
    onCandidate({ candidate: text, sdp_mid: sdpMid ?? null, sdp_m_line_index: sdpMLineIndex ?? null })
  })
  connection.connectionStateChange.subscribe((state) => {
    if (state === 'failed') end.failed('werift found no way to the other side')
  })
  // Gathering goes on while the description travels; its candidates are trickled.
  const gather = (description: Parameters<typeof connection.setLocalDescription>[0]) =>
    void connection.setLocalDescription(description).catch((error: Error) => end.failed(error.message))
  return {
    stack: 'werift',
    channel: end,
    async createOffer() {
      follow(connection.createDataChannel(CHANNEL), end)
      const offer = await connection.createOffer()
      gather(offer)
      return offer.sdp
    },
    async acceptOffer(sdp) {
      await connection.setRemoteDescription({ type: 'offer', sdp })
      const answer = await connection.createAnswer()
      gather(answer)
      return answer.sdp
    },
    acceptAnswer: (sdp) => connection.setRemoteDescription({ type: 'answer', sdp }),
    addCandidate: ({ candidate, sdp_mid, sdp_m_line_index }) =>
      connection.addIceCandidate({
        candidate,
        sdpMid: sdp_mid ?? undefined,
        sdpMLineIndex: sdp_m_line_index ?? undefined,
      }),
    close: () => connection.close(),
  }
}

function follow(channel: RTCDataChannel, end: ChannelEnd): void {
  const open = () => end.isOpen((text) => channel.send(text))
  channel.onMessage.subscribe((data) => end.received(String(data)))
  channel.stateChanged.subscribe((state) => {
    if (state === 'open') open()
  })
  if (channel.readyState === 'open') open()
}
