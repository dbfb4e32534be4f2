/**
 * Engine.IO by HTTP polling, within bounds: a payload is read into one buffer and its packets are counted, a poll brings
 * at most 16 packets, and every refusal has the error envelope, where the engine would answer with nothing at all.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError } from '../../core/protocol/errors.ts'
import { refuseRequest } from '../http-refusal.ts'
import { type EnginePacket, type EngineSession, HELLO_MAX_BYTES, HELLO_PACKETS } from './engine-session.ts'

/** python-engineio decodes no more (`max_decode_packets`, 4.x) and drops the connection. */
const PACKETS_PER_POLL = 16
/** Packets of one payload that are decoded at all: more than the flood limit lets through at once. */
const PACKETS_PER_POST = 512
/** Engine.IO v4 parts packets by this character; JSONP sends it escaped. */
const SEPARATORS = new RegExp(`${String.fromCharCode(30)}|%1e`, 'gi')
const FIRST_BUFFER_BYTES = 1024

type Request = IncomingMessage & { res?: ServerResponse | null }

/** What of Engine.IO's polling transport is replaced or used here; most of it is not published. */
export interface PollingTransport {
  readonly name: string
  readonly sid?: string
  readonly maxHttpBufferSize?: number
  req?: Request | null
  dataReq?: Request | null
  dataRes?: ServerResponse | null
  shouldClose?: (() => void) | null
  onRequest(request: Request): void
  onPollRequest(request: Request, response: ServerResponse): void
  onData(payload: string): void
  onPacket(packet: EnginePacket): void
  onError(message: string): void
  send(packets: EnginePacket[]): void
  headers(request: Request, headers: Record<string, string>): Record<string, string>
}

/** Puts the bounds around a transport that was made just now; `session` finds the session once there is one. */
export function limitPolling(transport: PollingTransport, session: () => EngineSession | undefined): void {
  const onPacket = transport.onPacket.bind(transport)
  let isRefused = false
  transport.onPacket = (packet) => {
    const rules = session()?.rules
    if (isRefused) return
    if (rules === undefined || rules.admit(packet.data?.length ?? 0)) return onPacket(packet)
    isRefused = true
    rules.refuse('flood')
  }
  const send = transport.send.bind(transport)
  transport.send = (packets) => {
    const room = PACKETS_PER_POLL - (transport.shouldClose ? 1 : 0)
    if (packets.length > room) session()?.putBack(packets.splice(room))
    send(packets)
  }
  transport.onRequest = (request) => {
    const response = request.res
    // The first request stays in memory as long as its session.
    request.res = null
    if (response !== null && response !== undefined) route(transport, session, request, response)
  }
}

function route(
  transport: PollingTransport,
  session: () => EngineSession | undefined,
  request: Request,
  response: ServerResponse,
): void {
  const refuse = (error: AppError) => refuseRequest(request, response, error)
  const fail = (message: string) => {
    transport.onError(message)
    refuse(new AppError('INVALID_REQUEST', message))
  }
  if (request.method === 'GET') {
    if (transport.req) return fail('A session has one poll at a time')
    return transport.onPollRequest(request, response)
  }
  if (request.method !== 'POST') {
    response.setHeader('Allow', 'GET, POST')
    return refuse(new AppError('INVALID_REQUEST', 'A session takes GET and POST', { status: 405 }))
  }
  if (transport.dataReq) return fail('A session has one payload under way at a time')
  if (request.headers['content-type'] === 'application/octet-stream') return fail('A payload is text')
  const hasJoined = session()?.hasJoined ?? false
  const maxBytes = hasJoined ? (transport.maxHttpBufferSize ?? 0) : HELLO_MAX_BYTES
  receive(transport, { maxBytes, maxPackets: hasJoined ? PACKETS_PER_POST : HELLO_PACKETS }, request, response)
}

/** Reads the body of a POST and hands its packets on. */
function receive(
  transport: PollingTransport,
  { maxBytes, maxPackets }: { maxBytes: number; maxPackets: number },
  request: Request,
  response: ServerResponse,
): void {
  transport.dataReq = request
  transport.dataRes = response
  let buffer = Buffer.alloc(0)
  let filled = 0
  const stop = () => {
    request.off('data', onData).off('end', onEnd).off('close', onClose)
    transport.dataReq = transport.dataRes = null
  }
  const onData = (chunk: Buffer) => {
    const needed = filled + chunk.length
    if (needed > maxBytes) {
      stop()
      return refuseRequest(request, response, tooLarge(maxBytes))
    }
    if (needed > buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(maxBytes, buffer.length * 2), FIRST_BUFFER_BYTES))
      buffer.copy(grown)
      buffer = grown
    }
    chunk.copy(buffer, filled)
    filled = needed
  }
  const onEnd = () => {
    stop()
    const payload = buffer.toString('utf8', 0, filled)
    // A flood is refused before its packets are decoded, and none of them is served.
    if ((payload.match(SEPARATORS)?.length ?? 0) >= maxPackets) {
      transport.onError('too many packets in a payload')
      return refuseRequest(request, response, new AppError('RATE_LIMITED'))
    }
    transport.onData(payload)
    // Not text/plain, which some browsers would offer to save.
    response
      .writeHead(200, transport.headers(request, { 'Content-Type': 'text/html', 'Content-Length': '2' }))
      .end('ok')
  }
  const onClose = () => {
    stop()
    transport.onError('The connection ended within a payload')
  }
  request.on('data', onData).on('end', onEnd).on('close', onClose)
}

const tooLarge = (maxBytes: number) =>
  new AppError('INVALID_REQUEST', `A payload may have ${maxBytes} bytes at most`, { status: 413 })
