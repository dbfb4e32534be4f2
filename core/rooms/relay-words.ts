/** What the relay's script is told of a message, and what it replies. */
import type { Entry, Side } from './room.ts'

export interface RelayRequest {
  callId: string
  from: Side
  /** The connection that the message came over; {@link ANY_SENDER} where that is not known any more. */
  sender: string
  /** The sender may have had this message numbered before, by this connection or in a flush whose reply was lost. */
  mayBeSeen: boolean
  /** Unique for the sender in its call: a repeated id is numbered once. */
  dedupeId: string
  body: string
}

/** The sender of a message that is written again: ids of its side are looked up from then on. */
export const ANY_SENDER = '*'

export interface RelayResult {
  entry: Entry
  /** This node has joined connections of the recipient. */
  local: boolean
  /** Other nodes have, and were handed it. */
  remote: boolean
  /** The id was numbered before; `entry` tells where, but not what it was appended after. */
  seen: boolean
  /** The roster does not know this node for the sender: Redis lost it. */
  unknownSender: boolean
}

/** An id stands in an entry between bars. Most have none of these characters. */
function escapeId(id: string): string {
  return /[%|]/.test(id) ? id.replaceAll('%', '%25').replaceAll('|', '%7C') : id
}

/** What relay.lua takes for a message. */
export function relayArguments({ callId, from, sender, mayBeSeen, dedupeId, body }: RelayRequest): string[] {
  return [callId, mayBeSeen ? from.toUpperCase() : from, sender, escapeId(dedupeId), body]
}

/** Reads the four words that relay.lua replies for a message: flags, epoch, number, previous. */
export function readResult({ from, body }: RelayRequest, words: string[], at: number): RelayResult {
  const flags = Number(words[at])
  return {
    entry: {
      to: from === 'a' ? 'b' : 'a',
      epoch: words[at + 1] as string,
      number: Number(words[at + 2]),
      previous: Number(words[at + 3]),
      body,
    },
    local: (flags & 1) !== 0,
    remote: (flags & 8) !== 0,
    seen: (flags & 2) !== 0,
    unknownSender: (flags & 4) !== 0,
  }
}
