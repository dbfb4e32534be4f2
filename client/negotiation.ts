/**
 * Perfect negotiation (https://www.w3.org/TR/webrtc/#perfect-negotiation-example): either side may offer at any time; where
 * both do, the polite one takes its offer back. The callee is the polite one, and leaves the first offer to the caller.
 */
import type { Candidate, Said } from './call-signaling.ts'
import type { PeerConnection } from './platform.ts'

export interface NegotiationOptions {
  connection: PeerConnection
  polite: boolean
  say(said: Said): void
  /** Something could not be applied. The call goes on; ICE shows whether it matters. */
  failed(error: unknown): void
}

export class Negotiation {
  readonly #options: NegotiationOptions
  readonly #connection: PeerConnection
  /** Messages are applied one after the other. */
  #applied: Promise<void> = Promise.resolve()
  /** Came before the description that they belong to. */
  #early: Candidate[] = []
  #mayOffer: boolean
  #makingOffer = false
  #ignoresOffer = false
  #closed = false

  constructor(options: NegotiationOptions) {
    this.#options = options
    this.#connection = options.connection
    this.#mayOffer = !options.polite
    this.#connection.onnegotiationneeded = () => void this.#offer()
    this.#connection.onicecandidate = ({ candidate }) => {
      if (candidate === null || candidate === undefined || this.#closed) return
      const { sdpMid, sdpMLineIndex } = candidate
      this.#options.say({
        type: 'candidate',
        candidate: candidate.candidate,
        sdp_mid: sdpMid ?? null,
        sdp_m_line_index: sdpMLineIndex ?? null,
      })
    }
  }

  /** Applies what the other side said, in the order in which it came. */
  take(said: Said): Promise<void> {
    this.#applied = this.#applied.then(() => this.#apply(said)).catch((error) => this.#fail(error))
    return this.#applied
  }

  /**
   * Looks for a new way for the media. An offer that has no answer yet is sent again as it is, as it, or its answer, may be
   * lost: whichever answer comes first fits.
   */
  restart(): void {
    if (this.#closed) return
    const { signalingState, localDescription } = this.#connection
    this.#mayOffer = true
    if (signalingState === 'have-local-offer') this.#say(localDescription)
    else if (this.#connection.remoteDescription === null) void this.#offer()
    else this.#connection.restartIce?.()
  }

  close(): void {
    this.#closed = true
    this.#connection.onnegotiationneeded = null
    this.#connection.onicecandidate = null
  }

  async #offer(): Promise<void> {
    if (!this.#mayOffer || this.#closed) return
    try {
      this.#makingOffer = true
      await this.#connection.setLocalDescription()
      this.#say(this.#connection.localDescription)
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#makingOffer = false
    }
  }

  async #apply(said: Said): Promise<void> {
    if (this.#closed) return
    if (said.type === 'candidate') return this.#addCandidate(said)
    const connection = this.#connection
    const { signalingState } = connection
    // An answer to an offer that was taken back, or a second one.
    if (said.type === 'answer' && signalingState !== 'have-local-offer') return
    const collides = said.type === 'offer' && (this.#makingOffer || signalingState !== 'stable')
    this.#ignoresOffer = !this.#options.polite && collides
    if (this.#ignoresOffer) return
    await connection.setRemoteDescription({ type: said.type, sdp: said.sdp })
    if (this.#closed) return
    const early = this.#early
    this.#early = []
    for (const candidate of early) await this.#addCandidate(candidate)
    if (said.type === 'answer') return
    this.#mayOffer = true
    await connection.setLocalDescription()
    this.#say(connection.localDescription)
  }

  async #addCandidate(candidate: Candidate): Promise<void> {
    if (this.#connection.remoteDescription === null) {
      if (!this.#ignoresOffer) this.#early.push(candidate)
      return
    }
    try {
      await this.#connection.addIceCandidate({
        candidate: candidate.candidate,
        sdpMid: candidate.sdp_mid,
        sdpMLineIndex: candidate.sdp_m_line_index,
      })
    } catch (error) {
      // One of an offer that was ignored fits nothing.
      if (!this.#ignoresOffer) this.#fail(error)
    }
  }

  #say(description: RTCSessionDescription | null): void {
    if (this.#closed || description === null) return
    const { type, sdp } = description
    if (type === 'offer' || type === 'answer') this.#options.say({ type, sdp })
  }

  #fail(error: unknown): void {
    if (!this.#closed) this.#options.failed(error)
  }
}
