/** What reaches a node's inbox channel: `<number>\n`, then items, each a header line and a body of the length it names. */
import type { Entry, Side } from './room.ts'

export type InboxItem =
  | { kind: 'message'; callId: string; entry: Entry }
  | { kind: 'joined' | 'left'; callId: string; side: Side; version: number; present: Side[] }
  | { kind: 'replaced'; callId: string; connectionId: string }

const NEWLINE = 0x0a

/**
 * Reads a publish. @throws on anything that our scripts did not write; the caller ignores it and, the number being
 * unknown, finds out about lost items at its next beat.
 */
export function parseInbox(payload: Buffer): { number: number; items: InboxItem[] } {
  const end = payload.indexOf(NEWLINE)
  const number = Number(payload.toString('latin1', 0, end))
  if (end < 1 || !Number.isSafeInteger(number)) throw new Error('no number in front')
  const items: InboxItem[] = []
  let at = end + 1
  while (at < payload.length) {
    const newline = payload.indexOf(NEWLINE, at)
    const header = payload.toString('latin1', at, newline).split(' ')
    const [kind, callId, side, first, second, third, length] = header
    const bytes = Number(length)
    if (newline < 0 || header.length !== 7 || !Number.isSafeInteger(bytes) || newline + 1 + bytes > payload.length)
      throw new Error('broken item')
    const body = payload.toString('utf8', newline + 1, newline + 1 + bytes)
    items.push(readItem(kind, callId as string, side as Side, first as string, second as string, third as string, body))
    at = newline + 1 + bytes
  }
  return { number, items }
}

function readItem(
  kind: string | undefined,
  callId: string,
  side: Side,
  first: string,
  second: string,
  third: string,
  body: string,
): InboxItem {
  switch (kind) {
    case 'M':
      return {
        kind: 'message',
        callId,
        entry: { to: side, epoch: first, number: Number(second), previous: Number(third), body },
      }
    case 'J':
    case 'L':
      return {
        kind: kind === 'J' ? 'joined' : 'left',
        callId,
        side,
        version: Number(first),
        present: readSides(second),
      }
    case 'C':
      return { kind: 'replaced', callId, connectionId: body }
    default:
      throw new Error('unknown item')
  }
}

/** Reads `ab`, `a`, `b`, or `-` for nobody. */
export function readSides(text: string): Side[] {
  return (['a', 'b'] as const).filter((side) => text.includes(side))
}
