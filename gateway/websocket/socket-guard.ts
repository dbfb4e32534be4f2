/**
 * Stands in front of each WebSocket of a gateway, raw or of Socket.IO: it reads frames within bounds, answers pings at
 * the pace at which the client takes the answers, and ends connections that send too much, too large or too slowly.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws'
import { type FrameFault, FrameReader, type FrameRules } from './frame-reader.ts'

/** How often unfinished messages are looked at. */
const LOOK_MS = 500
/** A client that does not answer a close frame is cut off. */
const CLOSE_TIMEOUT_MS = 3000

/** RFC 6455 section 7.4.1: 1009 is for what is too large, 1008 for any other breach of policy. */
const CODES: Record<FrameFault, number> = { flood: 1008, slow: 1008, 'too-large': 1009 }
const REASONS: Record<FrameFault, string> = {
  flood: 'too many frames',
  slow: 'a message took too long to come',
  'too-large': 'the message is too large',
}

/** What `ws` does not publish; the tests of test/protocol fail if it changes. */
interface Reads {
  _receiver: { write(chunk: Buffer): boolean }
}

const guards = new WeakMap<WebSocket, SocketGuard>()
const open = new Set<SocketGuard>()
setInterval(() => {
  for (const guard of open) guard.look()
}, LOOK_MS).unref()

/** The guard of a WebSocket that a {@link GuardedServer} has made. */
export function guardOf(ws: WebSocket): SocketGuard | undefined {
  return guards.get(ws)
}

export class SocketGuard {
  readonly tcp: Duplex
  readonly #ws: WebSocket
  readonly #reader: FrameReader
  /** The content of the latest ping that waits for its answer. */
  #unanswered: Buffer | undefined

  /** `ws` must have been made just now of `tcp`, and not answer pings itself. */
  constructor(ws: WebSocket, tcp: Duplex, rules: FrameRules) {
    this.#ws = ws
    this.tcp = tcp
    const receiver = (ws as unknown as Reads)._receiver
    const take = receiver.write.bind(receiver)
    this.#reader = new FrameReader(rules, {
      isOpen: () => ws.readyState === ws.OPEN,
      take,
      terminate: () => ws.terminate(),
    })
    receiver.write = (chunk) => this.#reader.read(chunk)
    ws.on('ping', (content: Buffer) => this.#answer(content))
    guards.set(ws, this)
    open.add(this)
    ws.once('close', () => open.delete(this))
  }

  /** From now on the connection follows other rules: it has been authenticated, for instance. */
  follow(rules: FrameRules): void {
    this.#reader.rules = rules
  }

  /** Gives the code to the next close of somebody who names none, as Engine.IO does. */
  closeAs(code: number, reason: string): void {
    const ws = this.#ws
    const close = ws.close.bind(ws)
    ws.close = (itsCode = code, itsReason = reason) => close(itsCode, itsReason)
  }

  /** Ends the connection for a fault, with its close code. */
  close(fault: FrameFault): void {
    this.#ws.close(CODES[fault], REASONS[fault])
  }

  /** Ends the connection without a goodbye; what waits for the client is thrown away. */
  terminate(): void {
    this.#ws.terminate()
  }

  look(): void {
    this.#reader.look(LOOK_MS)
  }

  /**
   * RFC 6455 section 5.5.3 lets an endpoint answer the latest ping alone. A client that takes its pongs gets each of
   * them; one that does not has a single one waiting.
   */
  #answer(content: Buffer): void {
    if (!this.tcp.writableNeedDrain) return this.#pong(content)
    if (this.#unanswered === undefined) this.tcp.once('drain', () => this.#answerLatest())
    this.#unanswered = Buffer.from(content)
  }

  #answerLatest(): void {
    const content = this.#unanswered
    this.#unanswered = undefined
    if (content !== undefined) this.#pong(content)
  }

  #pong(content: Buffer): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.pong(content)
  }
}

/** What a WebSocket may send before its owner gives it rules of its own; see `follow`. */
export type FirstRules = (close: (fault: FrameFault) => void) => FrameRules

/** The types of `ws` do not know `closeTimeout` yet; without it a client that does not answer a close stays for 30 s. */
const OPTIONS: ServerOptions & { closeTimeout: number } = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  autoPong: false,
  closeTimeout: CLOSE_TIMEOUT_MS,
}

/** A server whose WebSockets are guarded from their first byte. */
export class GuardedServer extends WebSocketServer {
  readonly #firstRules: FirstRules

  constructor(firstRules: FirstRules) {
    super(OPTIONS)
    this.#firstRules = firstRules
  }

  override handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    onOpen: (ws: WebSocket, request: IncomingMessage) => void,
  ): void {
    super.handleUpgrade(request, socket, head, (ws) => {
      const guard: SocketGuard = new SocketGuard(
        ws,
        socket,
        this.#firstRules((fault) => guard.close(fault)),
      )
      onOpen(ws, request)
    })
  }
}
