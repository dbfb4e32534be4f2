/**
 * The words of a room: its two sides, its numbering and the entries of its log.
 * A room is what Redis holds of a live call: who is connected where, and the messages of the last two minutes.
 */

/** `a` is the caller's side, `b` the callee's. */
export type Side = 'a' | 'b'

export const otherSide = (side: Side): Side => (side === 'a' ? 'b' : 'a')

/** A message as the log numbered it, for the recipients on side `to`. */
export interface Entry {
  to: Side
  epoch: string
  number: number
  /** The number before it for the same recipient: a gap shows without a counter of its own. */
  previous: number
  /** The client's JSON text, unread. */
  body: string
}

/** What the client sees of a place in the log: opaque, only good for `since` in the same call. */
export function formatSeq(epoch: string, number: number): string {
  return `${epoch}-${number}`
}

/** Reads a client's `since`; undefined for anything that we never gave out. */
export function parseSeq(text: string): { epoch: string; number: number } | undefined {
  const match = /^(\d{1,16})-(\d{1,15})$/.exec(text)
  return match?.[1] === undefined ? undefined : { epoch: match[1], number: Number(match[2]) }
}

/** Reads one element of a log list: `<side>|<number>|<previous>|<dedupe id>|<body>`; the id is the scripts' business. */
export function parseEntry(text: string, epoch: string): Entry {
  const second = text.indexOf('|', 2)
  const third = text.indexOf('|', second + 1)
  return {
    to: text.startsWith('a') ? 'a' : 'b',
    epoch,
    number: Number(text.slice(2, second)),
    previous: Number(text.slice(second + 1, third)),
    body: text.slice(text.indexOf('|', third + 1) + 1),
  }
}
