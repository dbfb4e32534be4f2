/** What the tests ask of a peer connection beside what the client does: a data channel, and a ledger of messages. */
import { ChannelEnd } from '../../dev/demo/demo-connection.ts'

/** Not for a WebRTC stack: numbered messages that travel as candidates do. */
const NOTE = 'candidate:note'

export class Ledger {
  readonly channel = new ChannelEnd()
  /** Numbers that the other side said, as they came. */
  readonly received: number[] = []
  /** Of the other side's stack, as they were handed to this one. */
  candidates = 0
  #said = 0

  /** Says the next number, as if the stack had found a candidate. */
  say(connection: Pick<RTCPeerConnection, 'onicecandidate'>): void {
    this.#said += 1
    tellCandidate(connection, { candidate: `${NOTE} ${this.#said}`, sdpMid: '0', sdpMLineIndex: 0 })
  }

  get said(): number {
    return this.#said
  }

  /** Whether a candidate was such a message. */
  takes(candidate: RTCIceCandidateInit | null | undefined): boolean {
    const text = candidate?.candidate ?? ''
    if (!text.startsWith(NOTE)) {
      this.candidates += 1
      return false
    }
    this.received.push(Number(text.slice(NOTE.length)))
    return true
  }
}

export function tellCandidate(
  connection: Pick<RTCPeerConnection, 'onicecandidate'>,
  { candidate, sdpMid, sdpMLineIndex }: RTCIceCandidateInit,
): void {
  const event = { candidate: { candidate, sdpMid, sdpMLineIndex } } as RTCPeerConnectionIceEvent
  connection.onicecandidate?.call(connection as RTCPeerConnection, event)
}
