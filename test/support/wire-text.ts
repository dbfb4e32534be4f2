/** Messages as JSON texts, for what no object can say: repeated names, numbers too large, halves of characters. */
import type { Peer } from './peer.ts'

/** Sends a message's JSON exactly as it is; `event` is its name where the transport has one. */
export function sendText(peer: Peer, event: string, json: string): void {
  // Socket.IO protocol v5: 2 is EVENT in the main namespace.
  peer.sendRaw(peer.kind === 'raw' ? json : `2[${JSON.stringify(event)},${json}]`)
}

/** The JSON of an object in which fields stand as the texts that are given here, also more than once. */
export function withTexts(message: Record<string, unknown>, ...members: [name: string, json: string][]): string {
  const replaced = new Set(members.map(([name]) => name))
  const kept = Object.entries(message).filter(([name]) => !replaced.has(name))
  const all = [...kept.map(([name, value]) => [JSON.stringify(name), JSON.stringify(value)]), ...members.map(quoted)]
  return `{${all.map(([name, json]) => `${name}:${json}`).join(',')}}`
}

/** A name that is quoted already stays as it is, with its escapes. */
const quoted = ([name, json]: [string, string]): [string, string] => [
  name.startsWith('"') ? name : JSON.stringify(name),
  json,
]
