/**
 * One user of the crowd: a hand-framed TCP socket that opens a user channel, raw or by Socket.IO, keeps it, answers its
 * pings, and connects again by the protocol's rule ("Reconnecting") until it is told to stop.
 */
import { connect, type Socket } from 'node:net'

export interface Target {
  host: string
  port: number
}

export interface CrowdClientOptions {
  /** Each attempt goes to any of them, as a load balancer would send it. */
  targets: Target[]
  /** A loopback address of its own: each has 28,000 ports by default. */
  localAddress: string
  token: string
  transport: 'raw' | 'socketio'
}

/** How an attempt ended that led nowhere: what was answered, and the pause before the next one. */
export interface Failure {
  why: string
  advised: boolean
  pauseMs: number
}

export interface CrowdEvents {
  /** Let in, so long after the loss (or the start), with so many attempts. */
  onIn(tookMs: number, attempts: number): void
  onFailure(failure: Failure): void
  /** An open connection ended. */
  onLost(): void
}

/** The protocol's rule ("Reconnecting"): both double with each attempt that fails. */
const PAUSE_MS = { first: 300, most: 10_000 }
const HANDSHAKE_MS = { first: 4000, most: 16_000 }

const OPCODE = { TEXT: 0x1, CLOSE: 0x8, PING: 0x9 } as const
const PONG = 0x8a
const TEXT_FRAME = 0x81
const MASKED = 0x80
/** RFC 6455 wants a key; this one is its own example. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

export class CrowdClient {
  readonly #options: CrowdClientOptions
  readonly #events: CrowdEvents
  #socket: Socket | undefined
  #timer: NodeJS.Timeout | undefined
  #received: Buffer = Buffer.alloc(0)
  #state: 'idle' | 'asked' | 'upgraded' | 'in' = 'idle'
  #lostAt = 0
  #failures = 0
  #refusal: Failure | undefined
  #stopped = false

  constructor(options: CrowdClientOptions, events: CrowdEvents) {
    this.#options = options
    this.#events = events
  }

  get isIn(): boolean {
    return this.#state === 'in'
  }

  /** Behaves as if its connection had just been lost. */
  start(): void {
    this.#lostAt = performance.now()
    this.#after(Math.random() * PAUSE_MS.first)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#socket?.destroy()
  }

  #after(ms: number): void {
    this.#timer = setTimeout(() => this.#connect(), ms)
  }

  #connect(): void {
    const { targets, localAddress } = this.#options
    const target = targets[Math.floor(Math.random() * targets.length)] as Target
    const socket = connect({ ...target, localAddress })
    this.#socket = socket
    this.#state = 'asked'
    this.#received = Buffer.alloc(0)
    this.#refusal = undefined
    let why = 'closed'
    this.#timer = setTimeout(
      () => {
        why = 'no answer in time'
        socket.destroy()
      },
      doubled(HANDSHAKE_MS, this.#failures),
    )
    socket.setNoDelay(true)
    socket.on('connect', () => socket.write(this.#request(target)))
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      why = error.code ?? error.message
    })
    socket.on('close', () => this.#closed(why))
  }

  #request({ host, port }: Target): string {
    const { transport, token } = this.#options
    const path = transport === 'raw' ? `/ws/events?token=${token}` : '/socket.io/?EIO=4&transport=websocket'
    return [
      `GET ${path} HTTP/1.1`,
      `Host: ${host}:${port}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${KEY}`,
      '\r\n',
    ].join('\r\n')
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    if (this.#state === 'asked' && !this.#readAnswer()) return
    for (let frame = this.#takeFrame(); frame !== undefined; frame = this.#takeFrame()) this.#read(frame)
  }

  /** True once the answer was read and is a WebSocket. A refusal is read when the server has closed. */
  #readAnswer(): boolean {
    const text = this.#received.toString('latin1')
    const end = text.indexOf('\r\n\r\n')
    if (end < 0) return false
    if (!text.startsWith('HTTP/1.1 101')) {
      this.#refusal = readRefusal(text.slice(0, end), text.slice(end + 4))
      return false
    }
    this.#received = this.#received.subarray(end + 4)
    this.#state = 'upgraded'
    if (this.#options.transport === 'raw') this.#letIn()
    return true
  }

  /** The server's frames are not masked and, to a channel, short. */
  #takeFrame(): { opcode: number; payload: Buffer } | undefined {
    const data = this.#received
    if (this.#state === 'asked' || data.length < 2) return undefined
    let length = (data[1] ?? 0) & 0x7f
    let start = 2
    if (length === 126) {
      if (data.length < 4) return undefined
      length = data.readUInt16BE(2)
      start = 4
    }
    if (data.length < start + length) return undefined
    this.#received = data.subarray(start + length)
    return { opcode: (data[0] ?? 0) & 0x0f, payload: data.subarray(start, start + length) }
  }

  #read({ opcode, payload }: { opcode: number; payload: Buffer }): void {
    if (opcode === OPCODE.PING) this.#send(PONG, payload)
    else if (opcode === OPCODE.CLOSE) this.#socket?.end()
    else if (opcode === OPCODE.TEXT && this.#options.transport === 'socketio') this.#readPacket(payload.toString())
  }

  /** Engine.IO and Socket.IO: `0` open, `2` ping, `40` connected, `44` refused. */
  #readPacket(packet: string): void {
    if (packet[0] === '0') this.#send(TEXT_FRAME, Buffer.from(`40${JSON.stringify({ token: this.#options.token })}`))
    else if (packet[0] === '2') this.#send(TEXT_FRAME, Buffer.from('3'))
    else if (packet.startsWith('40')) this.#letIn()
    else if (packet.startsWith('44')) {
      const { data } = JSON.parse(packet.slice(2))
      this.#refusal = refusalOf(`connect_error ${data?.code}`, data?.details?.retry_after_ms)
      this.#socket?.destroy()
    }
  }

  /** Masked with zeros: what the mask is for is not at stake here. */
  #send(first: number, payload: Buffer): void {
    const long = payload.length > 125
    const header = long
      ? Buffer.from([first, MASKED | 126, payload.length >> 8, payload.length & 0xff, 0, 0, 0, 0])
      : Buffer.from([first, MASKED | payload.length, 0, 0, 0, 0])
    this.#socket?.write(Buffer.concat([header, payload]))
  }

  #letIn(): void {
    clearTimeout(this.#timer)
    this.#state = 'in'
    this.#events.onIn(performance.now() - this.#lostAt, this.#failures + 1)
    this.#failures = 0
  }

  #closed(why: string): void {
    clearTimeout(this.#timer)
    const wasIn = this.#state === 'in'
    this.#state = 'idle'
    if (this.#stopped) return
    if (wasIn) {
      this.#events.onLost()
      this.start()
      return
    }
    this.#failures += 1
    const backoffMs = Math.random() * doubled(PAUSE_MS, this.#failures)
    const failure = this.#refusal ?? { why, advised: false, pauseMs: backoffMs }
    if (!failure.advised) failure.pauseMs = backoffMs
    this.#events.onFailure(failure)
    this.#after(failure.pauseMs)
  }
}

function doubled({ first, most }: { first: number; most: number }, times: number): number {
  return Math.min(most, first * 2 ** times)
}

/** The envelope says to the millisecond what the header says in seconds. */
function readRefusal(head: string, body: string): Failure {
  const status = head.slice(9, 12)
  const seconds = /^retry-after: (\d+)/im.exec(head)?.[1]
  const ms = /"retry_after_ms":(\d+)/.exec(body)?.[1]
  return refusalOf(status, ms !== undefined ? Number(ms) : seconds !== undefined ? Number(seconds) * 1000 : undefined)
}

function refusalOf(why: string, ms: unknown): Failure {
  return typeof ms === 'number' ? { why, advised: true, pauseMs: ms } : { why, advised: false, pauseMs: 0 }
}
