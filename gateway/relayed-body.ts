/**
 * The text that travels through the log: one tag for the event's name, then the client's JSON as it came.
 * A recipient of the other transport is served by slicing, never by parsing again.
 */
import { AppError } from '../core/protocol/errors.ts'
import type { RelayedMessage } from '../core/protocol/signaling.ts'
import { type Entry, formatSeq, parseSeq } from '../core/rooms/room.ts'

const TAGS = { offer: 'o', answer: 'a', candidate: 'c', error: 'x' } as const
export type RelayedType = keyof typeof TAGS

const TYPES = new Map<string, RelayedType>(
  (Object.entries(TAGS) as [RelayedType, string][]).map(([type, tag]) => [tag, type]),
)

/** Stands in front of a body that is written again; no event's tag. */
const REWRITTEN = 'R'

/**
 * The JSON of a client's message as it is relayed: its text, unless it has a `seq` of its own. The server's stands beside
 * it then, and a reader that takes the first of two names would resume from a place that the sender made up.
 * @throws INVALID_REQUEST for such a message that is nested too deep to be written again
 */
export function relayedJson(message: RelayedMessage & { seq?: unknown }, text: string): string {
  if (message.seq === undefined) return text
  const { seq: _, ...rest } = message
  try {
    return JSON.stringify(rest)
  } catch (error) {
    throw new AppError('INVALID_REQUEST', 'seq is set by the server', { cause: error, details: { field: 'seq' } })
  }
}

export function packBody(type: RelayedType, json: string): string {
  return TAGS[type] + json
}

/** A message that is written again after Redis lost it, with the place it had: who had it then is not served again. */
export function rewrittenBody(entry: Entry): string {
  return `${REWRITTEN}${formatSeq(entry.epoch, entry.number)}|${entry.body}`
}

/** The place that a rewritten message had before; undefined for any other. */
export function originOf(body: string): { epoch: string; number: number } | undefined {
  return body.startsWith(REWRITTEN) ? parseSeq(body.slice(1, body.indexOf('|'))) : undefined
}

/** The event's name and the JSON with `seq` as its last member; the sender's own was taken out ({@link relayedJson}). */
export function unpackBody(body: string, epoch: string, number: number): { type: RelayedType; json: string } {
  const start = body.startsWith(REWRITTEN) ? body.indexOf('|') + 1 : 0
  const end = body.lastIndexOf('}')
  return {
    type: TYPES.get(body.charAt(start)) ?? 'error',
    json: `${body.slice(start + 1, end)},"seq":"${formatSeq(epoch, number)}"}`,
  }
}
