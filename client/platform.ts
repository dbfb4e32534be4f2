/** What the package takes from where it runs, no more of it than it uses, so that a stand-in is easy to write. */

/** Of a message its data, of a close its code. */
export interface SocketEvent {
  readonly type: string
  readonly data?: unknown
  readonly code?: number
}

/** A WebSocket of the browser, of Node 22, or of the package `ws`. */
export interface Socket {
  readonly readyState: number
  send(text: string): void
  close(code?: number): void
  addEventListener(type: 'open' | 'message' | 'close' | 'error', listener: (event: SocketEvent) => void): void
}

export type SocketConstructor = new (url: string) => Socket

/** What is used of an `RTCPeerConnection`. What a WebRTC stack may lack is optional. */
export type PeerConnection = Pick<
  RTCPeerConnection,
  | 'connectionState'
  | 'signalingState'
  | 'localDescription'
  | 'remoteDescription'
  | 'setLocalDescription'
  | 'setRemoteDescription'
  | 'addIceCandidate'
  | 'close'
  | 'onnegotiationneeded'
  | 'onicecandidate'
  | 'onconnectionstatechange'
  | 'ontrack'
> &
  Partial<Pick<RTCPeerConnection, 'addTrack' | 'addTransceiver' | 'restartIce' | 'setConfiguration' | 'getStats'>>

export type PeerConnectionConstructor = new (configuration: RTCConfiguration) => PeerConnection

export type Timer = ReturnType<typeof setTimeout>

/** Resolves after so many milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
