/** A client's message on its way into the log, from its flush to its delivery and its ack. */
import { AppError } from '../core/protocol/errors.ts'
import type { RelayRequest, RelayResult } from '../core/rooms/relay-words.ts'
import { formatSeq, otherSide } from '../core/rooms/room.ts'
import type { Unnumbered } from './delivery.ts'
import type { LocalCall } from './local-call.ts'
import type { Incoming, Peer } from './peer.ts'
import type { RelayTicket } from './relay.ts'
import type { Signaling, SignalingDeps } from './signaling.ts'

interface Submitted {
  peer: Peer
  call: LocalCall
  request: RelayRequest
  /** Certainly never numbered before. */
  isNew: boolean
  id: string | number | undefined
  incoming: Incoming
}

/** One object with methods for each message, where closures would be several. */
export class Submission implements RelayTicket {
  readonly request: RelayRequest
  readonly #deps: SignalingDeps
  readonly #signaling: Signaling
  readonly #submitted: Submitted
  #unnumbered: Unnumbered | undefined

  constructor(deps: SignalingDeps, signaling: Signaling, submitted: Submitted) {
    this.request = submitted.request
    this.#deps = deps
    this.#signaling = signaling
    this.#submitted = submitted
  }

  direct(): void {
    const { call, peer, isNew } = this.#submitted
    this.#unnumbered = this.#deps.delivery.deliverUnnumbered(call, otherSide(peer.side), this.request.body, isNew)
  }

  done(outcome: RelayResult | AppError): void {
    const { peer, incoming } = this.#submitted
    if (outcome instanceof AppError) {
      this.#unnumbered?.failed()
      this.#signaling.refuse(peer, outcome, incoming)
      return
    }
    this.#deps.recent.remember(this.request, outcome.entry)
    this.#unnumbered?.numbered(outcome.entry)
    peer.mayResend = false
    this.#numbered(outcome)
  }

  #numbered({ entry, seen, unknownSender }: RelayResult): void {
    const { peer, call, id, incoming } = this.#submitted
    const { delivery, relay, onForgotten } = this.#deps
    // What was numbered before has a place that may have been passed on the way: only the log knows.
    if (seen) delivery.catchUpSide(call, entry.to)
    // Recipients here are known here: a roster that was wiped, or copied too early, does not name them yet, and what comes
    // next would overtake this if it went to them without a number (decisions/0020).
    else delivery.deliver(call, entry)
    if (id !== undefined || incoming.ack !== undefined) {
      const seq = formatSeq(entry.epoch, entry.number)
      incoming.ack?.({ ok: true, seq })
      if (id !== undefined) peer.acknowledge(id, seq, !relay.isLoaded)
    }
    if (unknownSender && peer.roomState === 'joined') onForgotten(call)
  }
}
