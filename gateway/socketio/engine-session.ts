/**
 * One Engine.IO connection, from its first packet: what it may send before it has joined the namespace, what it may send
 * afterwards, and how much may wait for a client that does not read, whatever kind of packet it is.
 */
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { MAX_FRAME_BYTES } from '../../core/protocol/signaling.ts'
import type { FloodGate } from '../flood.ts'
import type { FrameFault, FrameRules } from '../websocket/frame-reader.ts'
import { guardOf, type SocketGuard } from '../websocket/socket-guard.ts'
import type { Lobby } from './lobby.ts'

/** What CONNECT may carry beside its token, and the largest token with it. */
export const CONNECT_MAX_BYTES = 16 * 1024
export const HELLO_MAX_BYTES = CONNECT_MAX_BYTES + 32 * 1024
/** Until the namespace is joined: a probe, an upgrade, pongs and a handful of attempts to CONNECT. */
export const HELLO_PACKETS = 16
/** The last of them is answered; each costs the check of a token. */
const REFUSALS_MAX = 4
const HELLO_BUDGET_BYTES = 2 * HELLO_MAX_BYTES
const HELLO_FINISH_MS = 5_000
/** What may wait for a client that has not joined: the answers to all its packets. */
const HELLO_BEHIND = { packets: HELLO_PACKETS, bytes: MAX_FRAME_BYTES }
/** A connection that has left the namespace and does not come back is as idle as one that never joined. */
const LEFT_MS = 10_000

/** A message, and the name and the acknowledgement number that Socket.IO puts around it. */
const MESSAGE_MAX_BYTES = MAX_FRAME_BYTES + 256
/** As for raw connections. */
const FINISH_MS = 10_000
/** As much as the log keeps of a call: a client this far behind is better off resuming. */
const BEHIND = { packets: 512, bytes: 1024 * 1024 }

/** What of Engine.IO's socket is used here; part of it is not published, and the tests of test/protocol fail if it changes. */
export interface EngineSocket {
  readonly readyState: string
  readonly transport: { readonly name: string; readonly socket?: WebSocket }
  writeBuffer: EnginePacket[]
  close(discard?: boolean): void
  closeTransport(discard?: boolean): void
  once(event: 'drain', listener: () => void): void
  on(event: 'packetCreate', listener: (packet: EnginePacket) => void): void
  on(event: 'flush', listener: (packets: EnginePacket[]) => void): void
  on(event: 'upgrade' | 'close', listener: () => void): void
}

export interface EnginePacket {
  type: string
  data?: string | Buffer
}

const sessions = new WeakMap<object, EngineSession>()

/** The session of an Engine.IO socket. */
export function sessionOf(conn: object): EngineSession | undefined {
  return sessions.get(conn)
}

/** The rules of a WebSocket that belongs to no session yet: one that asks for an upgrade, for instance. */
export function helloRules(refuse: (fault: FrameFault) => void): FrameRules {
  let packets = HELLO_PACKETS
  let bytes = HELLO_BUDGET_BYTES
  return {
    messageMaxBytes: HELLO_MAX_BYTES,
    finishMs: HELLO_FINISH_MS,
    admit(size) {
      packets -= 1
      bytes -= size
      return packets >= 0 && bytes >= 0
    },
    refuse,
  }
}

export class EngineSession {
  readonly #conn: EngineSocket
  readonly #lobby: Lobby
  /** One budget for all the time that the connection is outside the namespace. */
  readonly #hello: FrameRules
  #rules: FrameRules
  #gate: FloodGate | undefined
  #refusals = 0
  #behind = HELLO_BEHIND
  hasJoined = false
  #heldBytes = 0
  #leaving: NodeJS.Timeout | undefined

  constructor(conn: EngineSocket, lobby: Lobby) {
    this.#conn = conn
    this.#lobby = lobby
    this.#hello = helloRules((fault) => {
      // A session that is closing has its last words to say yet.
      if (conn.readyState !== 'open') return
      this.guard?.close(fault)
      conn.close(true)
    })
    this.#rules = this.#hello
    lobby.enter(this)
    sessions.set(conn, this)
    this.guard?.follow(this.#rules)
    conn.on('packetCreate', (packet) => {
      this.#heldBytes += sizeOf(packet)
      if (this.isBehind(0)) this.cut()
    })
    conn.on('flush', () => {
      this.#heldBytes = 0
    })
    conn.on('upgrade', () => this.guard?.follow(this.#rules))
    conn.on('close', () => {
      lobby.leave(this)
      clearTimeout(this.#leaving)
    })
    this.#closeWhenEmpty()
  }

  /** The engine closes after what it takes for the last packet, and a poll may not have taken all of them. */
  #closeWhenEmpty(): void {
    const conn = this.#conn
    const closeTransport = conn.closeTransport.bind(conn)
    conn.closeTransport = (discard) => {
      if (discard || conn.writeBuffer.length === 0) closeTransport(discard)
      else conn.once('drain', () => conn.closeTransport(discard))
    }
  }

  /** Undefined while the connection polls. */
  get guard(): SocketGuard | undefined {
    const { socket } = this.#conn.transport
    return socket === undefined ? undefined : guardOf(socket)
  }

  /** The TCP socket of a connection whose transport is a WebSocket now. */
  get tcp(): Duplex | undefined {
    return this.guard?.tcp
  }

  get rules(): FrameRules {
    return this.#rules
  }

  /** Packets that the engine keeps back while its transport has not taken the ones before. */
  get held(): number {
    return this.#conn.writeBuffer.length
  }

  /** The client asks for the namespace: its handshake is checked. */
  asks(): void {
    this.#lobby.leave(this)
  }

  /** The namespace was refused; the client may ask again. */
  isRefused(): void {
    this.#refusals += 1
    if (this.#refusals >= REFUSALS_MAX) setImmediate(() => this.#conn.close())
    else if (!this.hasJoined && this.#conn.readyState === 'open') this.#lobby.enter(this)
  }

  /** The namespace was joined: from now on the limits of messages hold. Who joins again has no new `gate`. */
  joined(gate: FloodGate, refuse: (fault: FrameFault) => void): void {
    clearTimeout(this.#leaving)
    this.hasJoined = true
    this.#behind = BEHIND
    this.#gate ??= gate
    const admit = () => this.#gate?.admit(performance.now()) ?? false
    this.#obey({ messageMaxBytes: MESSAGE_MAX_BYTES, finishMs: FINISH_MS, admit, refuse })
  }

  /** The namespace was left, and the connection is still there: it is as any that has not joined. */
  left(): void {
    this.hasJoined = false
    this.#behind = HELLO_BEHIND
    this.#obey(this.#hello)
    this.#leaving = setTimeout(() => this.#conn.close(true), LEFT_MS).unref()
  }

  #obey(rules: FrameRules): void {
    this.#rules = rules
    this.guard?.follow(rules)
  }

  /** Packets were put back that a poll could not take. */
  putBack(packets: EnginePacket[]): void {
    this.#conn.writeBuffer = [...packets, ...this.#conn.writeBuffer]
    for (const packet of packets) this.#heldBytes += sizeOf(packet)
  }

  /** True when more waits than the client will ever catch up with; `queuedBytes` are those that the engine does not know. */
  isBehind(queuedBytes: number): boolean {
    const bytes = this.#heldBytes + queuedBytes + (this.tcp?.writableLength ?? 0)
    return bytes > this.#behind.bytes || this.held > this.#behind.packets
  }

  /** Ends the connection without a goodbye. */
  cut(): void {
    const { guard } = this
    this.#conn.close(true)
    guard?.terminate()
  }
}

/** Characters count as bytes; a packet without content is as large as its frame. */
function sizeOf({ data }: EnginePacket): number {
  return 2 + (data?.length ?? 0)
}
