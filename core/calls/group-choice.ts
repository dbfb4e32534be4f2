/**
 * The one place that decides in which group a call lives. Asked once, when the call is made; the answer is written into
 * its row, so that no group that comes or goes moves a call that lives.
 */
import { createHash } from 'node:crypto'

/**
 * Rendezvous hashing: each open group draws a number from the call's id, and the highest has it. Calls spread evenly, and
 * a further group takes its share of new ones from all others alike. Pure.
 */
export function chooseGroup(callId: string, open: readonly string[]): string {
  const [first, ...others] = open
  if (first === undefined) throw new Error('No group takes new calls')
  // Alone there is nothing to draw.
  if (others.length === 0) return first
  return others.reduce((best, name) => (weight(callId, name) > weight(callId, best) ? name : best), first)
}

function weight(callId: string, group: string): number {
  return createHash('sha1').update(`${group}\n${callId}`).digest().readUIntBE(0, 6)
}
