/** Raw WebSocket peers (RFC 6455): checked before the upgrade, one JSON object a frame, kept alive by WebSocket pings. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { AppError } from '../../core/protocol/errors.ts'
import { CLOSE, MAX_FRAME_BYTES } from '../../core/protocol/signaling.ts'
import { Elsewhere } from '../elsewhere.ts'
import { FloodGate } from '../flood.ts'
import type { WriteSchedule } from '../frame-queue.ts'
import type { GatewayMetrics } from '../gateway-metrics.ts'
import type { Admission, HandshakeRequest, Handshakes } from '../handshake.ts'
import { HandshakeParameters } from '../handshake-parameters.ts'
import { malformedUpgrade, refuseUpgrade } from '../http-refusal.ts'
import type { Peer } from '../peer.ts'
import type { PeerLifecycle } from '../peer-lifecycle.ts'
import type { Signaling } from '../signaling.ts'
import type { FrameFault, FrameRules } from '../websocket/frame-reader.ts'
import { GuardedServer, guardOf } from '../websocket/socket-guard.ts'
import { PauseWatch } from './pause-watch.ts'
import { takePlainFrames } from './plain-frames.ts'
import { RawTransport } from './raw-transport.ts'
import { isTunnelled, tunnel } from './tunnel.ts'

/** RFC 6455 section 7.4.1: 1000 and 1001 are a client's goodbye; 1005 is a goodbye without a code (`ws.close()`). */
const CLEAN_CODES = new Set([1000, 1001, 1005])
/** Time for a message to come whole: 64 KiB at 50 kbit/s, the slowest network that carries a call. */
const FINISH_MS = 10_000
/** How often connections are looked at for a ping that is due or a peer that is dead. */
const WATCH_MS = 500

interface RawServerDeps {
  handshakes: Handshakes
  lifecycle: PeerLifecycle
  signaling: Signaling
  metrics: GatewayMetrics
  schedule: WriteSchedule
  limits: { floodPerSecond: number; floodBurst: number; pingIntervalMs: number; pingTimeoutMs: number }
}

/** Until the connection is opened, in the same turn. */
const NOTHING_YET = { messageMaxBytes: MAX_FRAME_BYTES, finishMs: FINISH_MS, admit: () => true }

interface Connection {
  ws: WebSocket
  peer: Peer
  /** When the last ping went out, and the last sign of life came; ms of the process clock. */
  pingedAt: number
  heardAt: number
}

/** What a raw path asks for; undefined for a path that is none of ours. */
export function parseRawPath(url: URL): { callId: string | undefined } | undefined {
  if (url.pathname === '/ws/events') return { callId: undefined }
  const callId = /^\/ws\/signaling\/([^/]+)\/?$/.exec(url.pathname)?.[1]
  return callId === undefined ? undefined : { callId }
}

export class RawServer {
  readonly #deps: RawServerDeps
  readonly #wss = new GuardedServer((close) => ({ ...NOTHING_YET, refuse: close }))
  readonly #connections = new Set<Connection>()
  readonly #watch: NodeJS.Timeout
  readonly #pauses = new PauseWatch()

  constructor(deps: RawServerDeps) {
    this.#deps = deps
    // Left alone, ws answers with a page of its own. The admission is given back by whoever called handleUpgrade.
    this.#wss.on('wsClientError', (error, socket, request) => this.#refuse(request, socket, malformedUpgrade(error)))
    this.#watch = setInterval(() => this.#watchAll(performance.now()), WATCH_MS)
  }

  /** Takes an upgrade request for a `/ws/…` path; a refusal is an HTTP answer. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const onError = () => socket.destroy()
    socket.on('error', onError)
    let admission: Admission | undefined
    try {
      const { handshake, since } = readRequest(request, socket)
      if (this.#pauses.wasPaused() && (await hasLeft(socket))) return void socket.destroy()
      admission = await this.#deps.handshakes.admit(handshake)
      if (!socket.writable) return this.#deps.handshakes.giveBack(admission)
      socket.off('error', onError)
      const admitted = admission
      this.#wss.handleUpgrade(request, socket, head, (ws) => {
        this.#open(ws, socket, admitted, since)
        // It was stopped while the handshake was checked.
        socket.resume()
      })
      // handleUpgrade never calls back where the WebSocket request is malformed.
      if (socket.destroyed || !socket.writable) this.#deps.handshakes.giveBack(admission)
    } catch (error) {
      if (admission !== undefined) this.#deps.handshakes.giveBack(admission)
      if (error instanceof Elsewhere && !isTunnelled(request)) return tunnel(request, socket, head, error.origin)
      this.#refuse(request, socket, error instanceof AppError ? error : new AppError('INTERNAL_ERROR'))
    }
  }

  #refuse(request: IncomingMessage, socket: Duplex, fault: AppError): void {
    this.#deps.metrics.refusals.inc({ code: fault.code, transport: 'raw' })
    refuseUpgrade(request, socket, fault)
  }

  #open(ws: WebSocket, socket: Duplex, admission: Admission, since: string | undefined): void {
    const now = performance.now()
    const gate = new FloodGate(this.#deps.limits, now)
    const { signaling } = this.#deps
    const peer = this.#deps.lifecycle.open(admission, new RawTransport(ws, socket, this.#deps.schedule), since)
    const connection: Connection = { ws, peer, pingedAt: now, heardAt: now }
    this.#connections.add(connection)
    const rules = this.#rulesOf(connection, gate)
    guardOf(ws)?.follow(rules)
    takePlainFrames(ws, (text) => {
      if (rules.admit(text.length)) this.#read(peer, text)
      else rules.refuse('flood')
    })
    ws.on('message', (data, isBinary) => {
      if (isBinary) signaling.refuse(peer, notJson(), undefined, CLOSE.NOT_JSON)
      else this.#read(peer, String(data))
    })
    ws.on('pong', () => {
      connection.heardAt = performance.now()
      this.#deps.lifecycle.ponged(peer)
    })
    // ws closes by itself, with the right code, what breaks the protocol or is too large to read.
    ws.on('error', () => {})
    ws.on('close', (code) => {
      this.#connections.delete(connection)
      this.#deps.lifecycle.ended(peer, admission, CLEAN_CODES.has(code))
    })
  }

  /** Each frame is a sign of life and counts, whatever its kind; one too many ends the connection. */
  #rulesOf(connection: Connection, gate: FloodGate): FrameRules {
    return {
      messageMaxBytes: MAX_FRAME_BYTES,
      finishMs: FINISH_MS,
      admit: () => {
        const now = performance.now()
        connection.heardAt = now
        return gate.admit(now)
      },
      refuse: (fault) => {
        const { error, code } = FAULTS[fault]
        this.#deps.signaling.refuse(connection.peer, error(), undefined, code)
      },
    }
  }

  #read(peer: Peer, text: string): void {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      return this.#deps.signaling.refuse(peer, notJson(), undefined, CLOSE.NOT_JSON)
    }
    this.#deps.signaling.receive(peer, { value, text: () => text })
  }

  #watchAll(now: number): void {
    const { pingIntervalMs, pingTimeoutMs } = this.#deps.limits
    for (const connection of this.#connections) {
      if (now - connection.heardAt > pingIntervalMs + pingTimeoutMs) connection.ws.terminate()
      else if (now - connection.pingedAt >= pingIntervalMs) {
        connection.pingedAt = now
        connection.peer.onPing()
        connection.ws.ping()
      }
    }
  }

  /** Stops the pings. The connections are the drain's business. */
  close(): void {
    clearInterval(this.#watch)
    this.#pauses.close()
    this.#wss.close()
  }
}

/**
 * Whether the client is gone already. After a pause of this process an upgrade may be older than the client's next
 * connection, which it would replace: one look at the socket tells, once what waits there was read.
 */
async function hasLeft(socket: Duplex): Promise<boolean> {
  let left = false
  const onEnd = () => {
    left = true
  }
  const early: Buffer[] = []
  const onData = (chunk: Buffer) => early.push(chunk)
  socket.once('end', onEnd).on('data', onData)
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  socket.off('end', onEnd).off('data', onData).pause()
  // A client that speaks before it was answered is read again by whoever takes the socket.
  if (early.length > 0) socket.unshift(Buffer.concat(early))
  return left || socket.destroyed
}

export const tooLarge = () => new AppError('INVALID_REQUEST', `A message may have ${MAX_FRAME_BYTES} bytes at most`)
const tooSlow = () => new AppError('INVALID_REQUEST', `A message must arrive whole within ${FINISH_MS / 1000} s`)
/** What a client is told whose frames break the rules, and the close code. */
export const FAULTS: Record<FrameFault, { error: () => AppError; code: number }> = {
  flood: { error: () => new AppError('RATE_LIMITED'), code: CLOSE.POLICY },
  slow: { error: tooSlow, code: CLOSE.POLICY },
  'too-large': { error: tooLarge, code: CLOSE.TOO_LARGE },
}
export const notJson = () => new AppError('INVALID_REQUEST', 'A message must be a JSON object in a text frame')

function readRequest(
  request: IncomingMessage,
  socket: Duplex,
): { handshake: HandshakeRequest; since: string | undefined } {
  // The base is never used: only path and query are read, the Host header decides nothing.
  const url = parseUrl(`http://gateway${request.url ?? ''}`)
  const path = url === undefined ? undefined : parseRawPath(url)
  if (url === undefined || path === undefined) throw new AppError('NOT_FOUND')
  const { authorization } = request.headers
  const said = new HandshakeParameters({ url: url.search, authorization })
  return {
    handshake: {
      credential: said.credential,
      callId: path.callId,
      device: said.text('device_id'),
      origin: request.headers.origin,
      hasLeft: () => socket.destroyed || socket.readableEnded,
    },
    since: said.text('since'),
  }
}

/** Node 20 has no `URL.parse`. */
function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}
