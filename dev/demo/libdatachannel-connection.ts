// The callee's WebRTC stack: libdatachannel, a C++ library, through node-datachannel.
import { cleanup, type DataChannel, type IceServer, PeerConnection } from 'node-datachannel'
import {
  CHANNEL,
  ChannelEnd,
  type DemoConnection,
  DIRECT,
  type IceOptions,
  LOOPBACK,
  type OnCandidate,
} from './demo-connection.ts'

export function createLibdatachannelConnection(onCandidate: OnCandidate, ice: IceOptions = DIRECT): DemoConnection {
  const end = new ChannelEnd()
  const connection = new PeerConnection('demo', {
    iceServers: serversOf(ice),
    iceTransportPolicy: ice.relayOnly ? 'relay' : 'all',
    bindAddress: LOOPBACK,
  })
  // It describes itself as soon as there is a channel or an offer.
  const described = new Promise<string>((resolve) => connection.onLocalDescription((sdp) => resolve(sdp)))
  // It gives a candidate as a line of SDP, and names the section by its mid alone.
  connection.onLocalCandidate((line, mid) =>
    onCandidate({ candidate: line.replace(/^a=/, ''), sdp_mid: mid, sdp_m_line_index: null }),
  )
  connection.onDataChannel((channel) => follow(channel, end))
  connection.onStateChange((state) => {
    if (state === 'failed') end.failed('libdatachannel found no way to the other side')
  })
  return {
    stack: 'libdatachannel',
    channel: end,
    createOffer() {
      follow(connection.createDataChannel(CHANNEL), end)
      return described
    },
    acceptOffer(sdp) {
      connection.setRemoteDescription(sdp, 'offer')
      return described
    },
    async acceptAnswer(sdp) {
      connection.setRemoteDescription(sdp, 'answer')
    },
    async addCandidate({ candidate, sdp_mid }) {
      connection.addRemoteCandidate(candidate, sdp_mid ?? '0')
    },
    async close() {
      connection.close()
    },
  }
}

/** Ends the library's threads, which would keep the process alive. Once, when every connection is closed. */
export function stopLibdatachannel(): void {
  cleanup()
}

/** It takes a TURN server in parts; the demo has one over UDP. STUN servers are of no use between two ends on a machine. */
function serversOf({ iceServers }: IceOptions): IceServer[] {
  return iceServers.flatMap(({ urls, username, credential }) =>
    urls.flatMap((url) => {
      const [, hostname, port] = /^turn:([^:?]+):(\d+)(?:\?transport=udp)?$/.exec(url) ?? []
      if (hostname === undefined) return []
      return [{ hostname, port: Number(port), username, password: credential, relayType: 'TurnUdp' as const }]
    }),
  )
}

function follow(channel: DataChannel, end: ChannelEnd): void {
  const open = () => end.isOpen((text) => void channel.sendMessage(text))
  channel.onMessage((data) => end.received(String(data)))
  channel.onError((reason) => end.failed(reason))
  channel.onOpen(open)
  if (channel.isOpen()) open()
}
