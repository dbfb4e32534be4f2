/**
 * The text that travels through the log: one tag for the event's name, then the client's JSON as it came.
 * A recipient of the other transport is served by slicing, never by parsing again.
 */
import { formatSeq } from '../core/rooms/room.ts'

const TAGS = { offer: 'o', answer: 'a', candidate: 'c', error: 'x' } as const
export type RelayedType = keyof typeof TAGS

const TYPES = new Map<string, RelayedType>(
  (Object.entries(TAGS) as [RelayedType, string][]).map(([type, tag]) => [tag, type]),
)

export function packBody(type: RelayedType, json: string): string {
  return TAGS[type] + json
}

/** The event's name and the JSON with `seq` as its last member, so that a `seq` of the sender's own never wins. */
export function unpackBody(body: string, epoch: string, number: number): { type: RelayedType; json: string } {
  const end = body.lastIndexOf('}')
  return {
    type: TYPES.get(body.charAt(0)) ?? 'error',
    json: `${body.slice(1, end)},"seq":"${formatSeq(epoch, number)}"}`,
  }
}
