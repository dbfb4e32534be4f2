// One end of a WebRTC connection with a single data channel: what the demo asks of any WebRTC stack.
import type { IceServer } from '../../core/protocol/signaling.ts'

/** As it travels in the contract's `candidate` message. */
export interface Candidate {
  candidate: string
  sdp_mid: string | null
  sdp_m_line_index: number | null
}

export type OnCandidate = (candidate: Candidate) => void

export interface DemoConnection {
  /** Which WebRTC stack this is, for the reader of the demo. */
  readonly stack: string
  readonly channel: ChannelEnd
  /** The caller's description; candidates trickle from now on. */
  createOffer(): Promise<string>
  /** The callee's description in answer to the caller's; candidates trickle from now on. */
  acceptOffer(sdp: string): Promise<string>
  acceptAnswer(sdp: string): Promise<void>
  addCandidate(candidate: Candidate): Promise<void>
  /** Frees sockets and timers. */
  close(): Promise<void>
}

/** How a connection finds its way. */
export interface IceOptions {
  iceServers: IceServer[]
  /** Only relayed candidates: nothing goes from one end to the other but through a TURN server. */
  relayOnly: boolean
}

/** Without a server both ends find each other on this machine. */
export const DIRECT: IceOptions = { iceServers: [], relayOnly: false }

/** The name under which both ends know the channel. */
export const CHANNEL = 'demo'

/** Both ends run on this machine: nothing leaves it, and no outside server is asked for an address. */
export const LOOPBACK = '127.0.0.1'

/** One end of the data channel: its stack reports to it, the demo waits on it. */
export class ChannelEnd {
  /** Resolves when messages can be sent; rejects when the stack gives up. */
  readonly opened: Promise<void>
  /** Resolves with the other side's first message. */
  readonly firstMessage: Promise<string>
  #open: () => void = () => {}
  #fail: (error: Error) => void = () => {}
  #receive: (text: string) => void = () => {}
  #send: ((text: string) => void) | undefined

  constructor() {
    this.opened = new Promise((resolve, reject) => {
      this.#open = resolve
      this.#fail = reject
    })
    // Whoever waits gets the error; a demo that failed earlier for another reason waits no more.
    this.opened.catch(() => {})
    this.firstMessage = new Promise((resolve) => {
      this.#receive = resolve
    })
  }

  isOpen(send: (text: string) => void): void {
    this.#send = send
    this.#open()
  }

  failed(reason: string): void {
    this.#fail(new Error(reason))
  }

  received(text: string): void {
    this.#receive(text)
  }

  send(text: string): void {
    if (!this.#send) throw new Error('The data channel is not open')
    this.#send(text)
  }
}
