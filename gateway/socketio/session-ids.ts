/**
 * Ids of Engine.IO sessions that say where the session is: the requests of a long poll must meet again on one gateway,
 * from whatever address and through whichever edge they come. An id begins with what HAProxy makes of the gateway's
 * address and port ("dynamic-cookie-key" of edge/haproxy.cfg.template), so no edge has to be told anything.
 */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIPv6 } from 'node:net'

/** As in the edge's template. */
const EDGE_KEY = 'tchat-node'
/** As long as Engine.IO's own ids (15 bytes), which are as hard to guess. */
const RANDOM_BYTES = 15

/** An id for a session that begins with this request, as Engine.IO's `generateId` makes them: no one can guess it. */
export function sessionId({ socket: { localAddress, localPort } }: IncomingMessage): string {
  const random = randomBytes(RANDOM_BYTES).toString('base64url')
  return localAddress === undefined || localPort === undefined
    ? random
    : `${nodePrefix(localAddress, localPort)}.${random}`
}

const prefixes = new Map<string, string>()

/** What HAProxy (`srv_set_dyncookie`) makes of a server: XXH64 of key, address and port, as 16 hexadecimal digits. */
export function nodePrefix(address: string, port: number): string {
  const place = `${address} ${port}`
  const known = prefixes.get(place)
  if (known !== undefined) return known
  const tail = Buffer.alloc(4)
  tail.writeUInt32BE(port)
  const prefix = xxh64(Buffer.concat([Buffer.from(EDGE_KEY), addressBytes(address), tail]))
    .toString(16)
    .padStart(16, '0')
  // A process listens at one port; its addresses are those of its machine.
  prefixes.set(place, prefix)
  return prefix
}

function addressBytes(address: string): Buffer {
  // An IPv4 connection to a listener of both families.
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '')
  if (!isIPv6(plain)) return Buffer.from(plain.split('.').map(Number))
  const [head = '', tail = ''] = plain.replace(/%.*$/, '').split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const missing = 8 - groups(head).length - groups(tail).length
  const all = [...groups(head), ...Array<string>(plain.includes('::') ? missing : 0).fill('0'), ...groups(tail)]
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex')
}

const P1 = 0x9e3779b185ebca87n
const P2 = 0xc2b2ae3d27d4eb4fn
const P3 = 0x165667b19e3779f9n
const P4 = 0x85ebca77c2b2ae63n
const P5 = 0x27d4eb2f165667c5n

const wrap = (value: bigint) => BigInt.asUintN(64, value)
const rotate = (value: bigint, by: bigint) => wrap((value << by) | (wrap(value) >> (64n - by)))

/**
 * XXH64 with seed 0 of fewer than 32 bytes (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md): longer input
 * takes four lanes, which nothing here has.
 */
export function xxh64(input: Buffer): bigint {
  if (input.length >= 32) throw new RangeError('Only fewer than 32 bytes')
  let hash = P5 + BigInt(input.length)
  let at = 0
  for (; at + 8 <= input.length; at += 8) {
    hash ^= wrap(rotate(wrap(input.readBigUInt64LE(at) * P2), 31n) * P1)
    hash = wrap(rotate(hash, 27n) * P1 + P4)
  }
  if (at + 4 <= input.length) {
    hash ^= wrap(BigInt(input.readUInt32LE(at)) * P1)
    hash = wrap(rotate(hash, 23n) * P2 + P3)
    at += 4
  }
  for (const byte of input.subarray(at)) hash = wrap(rotate(hash ^ wrap(BigInt(byte) * P5), 11n) * P1)
  hash = wrap((hash ^ (hash >> 33n)) * P2)
  hash = wrap((hash ^ (hash >> 29n)) * P3)
  return hash ^ (hash >> 32n)
}
