/** What a client is told, and what it takes where it is told nothing. */
import type { IceServer } from '../core/protocol/signaling.ts'
import { CallingError } from './errors.ts'
import type { PeerConnection, PeerConnectionConstructor, SocketConstructor } from './platform.ts'

export interface CallingClientOptions {
  /** The service's origin, such as `https://calls.example.com`. */
  url: string
  /** Gives a token that is valid now; asked for each request and each connection, so it should keep one. */
  token: () => Promise<string> | string
  /** Origins beside `url` to which `signaling_url` may point. Tokens go nowhere else. */
  origins?: string[]
  /** Names this device where the token does not; random for each client otherwise. Keep it, and devices reconnect as themselves. 1 to 128 characters. */
  deviceId?: string
  /** Instead of what the service names. */
  iceServers?: IceServer[]
  /** Further settings of each peer connection, such as `iceTransportPolicy`. */
  rtc?: Omit<RTCConfiguration, 'iceServers'>
  /** Microphone and camera, together or, for a camera that is added later, alone. `getUserMedia` where there is one; `null` for calls without media. */
  getMedia?: ((wanted: { audio: boolean; video: boolean }) => Promise<MediaStream>) | null
  /** Called with each new peer connection before anything is negotiated: the place for data channels and codecs. */
  onPeerConnection?: (connection: PeerConnection, call: { id: string; direction: 'outgoing' | 'incoming' }) => void
  /** Ends a call as `connection_failed` where its media has found no way for so long (30,000). */
  giveUpAfterMs?: number
  /** Where they are not global: Node 20 needs both, Node 22 the second. */
  WebSocket?: SocketConstructor
  RTCPeerConnection?: PeerConnectionConstructor
}

/** The options with everything filled in. */
export interface Settings {
  url: URL
  token: () => Promise<string>
  origins: Set<string>
  deviceId: string
  iceServers: IceServer[] | undefined
  rtc: Omit<RTCConfiguration, 'iceServers'>
  getMedia: ((wanted: { audio: boolean; video: boolean }) => Promise<MediaStream>) | null
  onPeerConnection: NonNullable<CallingClientOptions['onPeerConnection']>
  giveUpAfterMs: number
  WebSocket: SocketConstructor
  RTCPeerConnection: PeerConnectionConstructor
}

const GIVE_UP_AFTER_MS = 30_000

/** @throws CallingError where something is missing that this platform does not bring */
export function settle(options: CallingClientOptions): Settings {
  const url = new URL(options.url)
  const WebSocket = options.WebSocket ?? (globalThis.WebSocket as SocketConstructor | undefined)
  const RTCPeerConnection = options.RTCPeerConnection ?? globalThis.RTCPeerConnection
  if (WebSocket === undefined) throw missing('WebSocket')
  if (RTCPeerConnection === undefined) throw missing('RTCPeerConnection')
  return {
    url,
    token: async () => {
      const token = await options.token()
      if (typeof token !== 'string' || token === '') throw new CallingError('INVALID_TOKEN', 'There is no token')
      return token
    },
    origins: new Set([url, ...(options.origins ?? []).map((origin) => new URL(origin))].map(httpOrigin)),
    deviceId: options.deviceId ?? crypto.randomUUID(),
    iceServers: options.iceServers,
    rtc: options.rtc ?? {},
    getMedia: options.getMedia === undefined ? ownMedia() : options.getMedia,
    onPeerConnection: options.onPeerConnection ?? (() => {}),
    giveUpAfterMs: options.giveUpAfterMs ?? GIVE_UP_AFTER_MS,
    WebSocket,
    RTCPeerConnection,
  }
}

/** An origin by its HTTP name, whether it is one of HTTP or of WebSocket. */
export function httpOrigin(url: URL): string {
  return `${url.protocol.replace(/^ws/, 'http')}//${url.host}`
}

function missing(name: string): CallingError {
  return new CallingError('INVALID_STATE', `This platform has no ${name}: give one in the options`)
}

function ownMedia(): Settings['getMedia'] {
  const devices = globalThis.navigator?.mediaDevices
  return devices === undefined ? null : (wanted) => devices.getUserMedia(wanted)
}
