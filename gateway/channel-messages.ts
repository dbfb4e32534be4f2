/**
 * What a user channel takes: a device's receipt that it rings, and nothing else. Its effect is that of
 * `POST /calls/{call_id}/ringing`, and so are its faults, none of which ends the channel.
 */
import type { Call } from '../core/calls/call.ts'
import { AppError } from '../core/protocol/errors.ts'
import type { CallStatus, ClientMessage } from '../core/protocol/signaling.ts'
import type { Incoming, Peer } from './peer.ts'

interface ChannelDeps {
  calls: { rings: { confirm(callId: string, userId: string): Promise<{ call: Call }> } }
  /** The newest status of a call that this node has heard of. */
  newestStatus(callId: string): { status: CallStatus } | undefined
  refuse(peer: Peer, error: unknown, incoming: Incoming): void
}

interface Receipt {
  callId: string
  taken: Promise<unknown>
}

export class ChannelMessages {
  readonly #deps: ChannelDeps
  /**
   * The last receipt of each channel. Repeating it asks nobody while the call is not known to have been answered or to
   * be over; another one waits, so a channel asks one at a time.
   */
  readonly #receipts = new WeakMap<Peer, Receipt>()

  constructor(deps: ChannelDeps) {
    this.#deps = deps
  }

  /**
   * Takes a message whose shape is right. A receipt is acknowledged once it is written, and refused later.
   * @throws SIGNALING_ERROR for any other message, FORBIDDEN for a receipt in another user's name
   */
  receive(channel: Peer, message: ClientMessage, incoming: Incoming): void {
    if (message.type !== 'ringing')
      throw new AppError('SIGNALING_ERROR', 'A user channel takes no messages but ringing')
    if (message.user_id.toLowerCase() !== channel.userId)
      throw new AppError('FORBIDDEN', 'The sender is not the user of this connection', {
        details: { field: 'user_id' },
      })
    const { id } = message
    this.#receipt(channel, message.call_id.toLowerCase()).then(
      () => {
        incoming.ack?.({ ok: true })
        if (id !== undefined) channel.send({ type: 'ack', id })
      },
      (error: unknown) => this.#deps.refuse(channel, error, incoming),
    )
  }

  #receipt(channel: Peer, callId: string): Promise<unknown> {
    const last = this.#receipts.get(channel)
    const known = this.#deps.newestStatus(callId)
    if (last?.callId === callId && (known?.status ?? 'connecting') === 'connecting') return last.taken
    const confirm = () => this.#deps.calls.rings.confirm(callId, channel.userId)
    const taken = last === undefined ? confirm() : last.taken.then(confirm, confirm)
    const receipt = { callId, taken }
    this.#receipts.set(channel, receipt)
    taken.catch(() => {
      if (this.#receipts.get(channel) === receipt) this.#receipts.delete(channel)
    })
    return taken
  }
}
