/** One connection of a ledger client, whatever its transport. Written from the protocols, with nothing of the product's. */

export type Message = Record<string, unknown> & { type: string }

export interface LinkEvents {
  /** The connection stands; with `since` the room is joined by itself. */
  onOpen(): void
  onMessage(message: Message): void
  /** The message of this id is safe: Socket.IO's callback. A raw connection gets an `ack` message instead. */
  onAck(id: string, reply: { ok: boolean; seq?: string; error?: { code: string } }): void
  /** Once, whoever ended it, also for a handshake that was refused; `retryAfterMs` is the refusal's advice. */
  onClosed(why: string, retryAfterMs?: number): void
}

export interface LinkOptions {
  /** `http://…` of the edge. */
  url: string
  callId: string
  token: string
  device: string
  since: string | undefined
  /** Lets the edge send the connection to any node instead of the call's. Only Socket.IO can. */
  anywhere: boolean
  /** A handshake that hangs (a stopped node behind the edge) is given up after this. */
  handshakeMs: number
}

export interface Link {
  /** A message with an `id` is to be acknowledged. */
  send(message: Message & { id?: string }): void
  /** Is gone without a goodbye. */
  drop(): void
}
