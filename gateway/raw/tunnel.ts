/**
 * Takes a raw client that came to the wrong group to the right one. A client of the contract may make its address itself,
 * of the host that it knows and the id of a call: it gets its connection all the same, through one process more.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Duplex } from 'node:stream'
import { AppError } from '../../core/protocol/errors.ts'
import { refuseUpgrade } from '../http-refusal.ts'

/** Who has come through a tunnel goes through no other: two configurations that disagree must not play ball. */
const MARK = 'x-tchat-tunnelled'
/** The other side answers or refuses within its own limits, which are shorter. */
const ANSWER_TIMEOUT_MS = 10_000
/** Answers of a refusal that are handed on: an envelope is a fraction of it. */
const REFUSAL_MAX_BYTES = 16 * 1024

/** Whether this request has been through a tunnel. */
export function isTunnelled({ headers }: IncomingMessage): boolean {
  return headers[MARK] !== undefined
}

/** Hands everything on to `origin`, which is configured, and back: the answer to the upgrade, then every byte. */
export function tunnel(request: IncomingMessage, socket: Duplex, head: Buffer, origin: string): void {
  const target = new URL(request.url ?? '/', origin)
  const headers = { ...request.headers, host: target.host, [MARK]: '1' }
  const open = target.protocol === 'https:' ? httpsRequest : httpRequest
  const asked = open(target, { headers, agent: false, timeout: ANSWER_TIMEOUT_MS })
  const fail = () => refuseUpgrade(request, socket, new AppError('SERVICE_UNAVAILABLE'))
  asked.on('timeout', () => asked.destroy(new Error('no answer')))
  asked.on('error', fail)
  asked.on('response', (response) => handOnRefusal(response, socket))
  asked.on('upgrade', (response, other, otherHead) => {
    // From here on the two ends watch each other, by their pings.
    other.setTimeout(0)
    socket.write(`${headOf(response)}\r\n`)
    if (otherHead.length > 0) socket.write(otherHead)
    if (head.length > 0) other.write(head)
    for (const [one, another] of [
      [socket, other],
      [other, socket],
    ] as const) {
      one.on('error', () => another.destroy())
      one.on('close', () => another.destroy())
      one.pipe(another)
    }
  })
  socket.once('close', () => asked.destroy())
  asked.end()
}

function handOnRefusal(response: IncomingMessage, socket: Duplex): void {
  const parts: Buffer[] = []
  let bytes = 0
  response.on('data', (part: Buffer) => {
    bytes += part.length
    if (bytes <= REFUSAL_MAX_BYTES) parts.push(part)
  })
  response.on('error', () => socket.destroy())
  response.on('end', () => {
    if (socket.writable) socket.end(Buffer.concat([Buffer.from(`${headOf(response)}\r\n`), ...parts]))
  })
}

/** Status line and headers as they came. */
function headOf({ statusCode, statusMessage, rawHeaders }: IncomingMessage): string {
  const lines = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}\r\n`] : []))
  return `HTTP/1.1 ${statusCode} ${statusMessage}\r\n${lines.join('')}`
}
