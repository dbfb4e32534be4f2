// One client: a TCP socket with hand-made frames on it, in the dialect of what it talks to.
import { connect, type Socket } from 'node:net'
import type { Dialect, Party, Reaction } from './dialects.ts'
import { CLOSE_FRAME, FrameReader, FrameTemplate, findId, maskedFrame, OPCODE, readId, textFrame } from './frames.ts'
import { type Counts, type LatencyWindow, OrderWatch } from './tally.ts'

/** Messages of one connection that may be under way at once; the send times of older ones are overwritten. */
const IN_FLIGHT_MAX = 4096
const READ_BUFFER = Buffer.allocUnsafeSlow(1 << 16)
const LOWER_CASE = 0x20
const [A, C, K, N, E, R] = Buffer.from('ackner')

/** What the connections of a load share. */
export interface LoadState {
  dialect: Dialect
  /** Whether connections join their rooms, or stop once they are let in. */
  joins: boolean
  counts: Counts
  window: LatencyWindow
  /** Called after each delivery with the connection that got it. */
  onDelivered: (receiver: Connection) => void
  /** What the first error said, for the report of a failure. */
  firstError: string | undefined
}

export class Connection {
  readonly party: Party
  /** The other side of the call, set before anything is sent. */
  partner: Connection | undefined
  sent = 0
  readonly #state: LoadState
  readonly #socket: Socket
  readonly #template: FrameTemplate
  readonly #reader = new FrameReader((opcode, bytes, start, end) => this.#read(opcode, bytes, start, end))
  readonly #sentAt = new Float64Array(IN_FLIGHT_MAX)
  readonly #order = new OrderWatch()
  #head: string | undefined = ''
  #idAt = -1
  #closing = false
  #stage: 'connecting' | 'open' | 'joined' | 'closed' = 'connecting'
  #waiting: { stage: 'open' | 'joined' | 'closed'; resolve: () => void; reject: (error: Error) => void }[] = []

  constructor(party: Party, state: LoadState) {
    this.party = party
    this.#state = state
    this.#template = new FrameTemplate(state.dialect.message(party))
    // One buffer for all reads of all connections: each chunk is used up before the next one is read.
    const onread = {
      buffer: READ_BUFFER,
      callback: (length: number) => {
        this.#receive(READ_BUFFER.subarray(0, length))
        return true
      },
    }
    this.#socket = connect({ port: party.port, host: '127.0.0.1', noDelay: true, onread })
    this.#socket.on('connect', () => {
      this.#socket.write(
        `GET ${state.dialect.path(party)} HTTP/1.1\r\nHost: 127.0.0.1:${party.port}\r\nUpgrade: websocket\r\n` +
          'Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
      )
    })
    this.#socket.on('error', () => this.#ended())
    this.#socket.on('close', () => this.#ended())
  }

  /** Resolves once the connection got that far. @throws where it was refused or cut instead */
  reached(stage: 'open' | 'joined' | 'closed'): Promise<void> {
    if (this.#has(stage)) return Promise.resolve()
    return new Promise((resolve, reject) => this.#waiting.push({ stage, resolve, reject }))
  }

  /** Sends the next message. */
  send(): void {
    this.sent += 1
    this.#state.counts.sent += 1
    this.#sentAt[this.sent % IN_FLIGHT_MAX] = performance.now()
    this.#socket.write(this.#template.stamp(this.sent))
  }

  /** Says goodbye; `reached('closed')` tells when the server has answered. */
  close(): void {
    this.#closing = true
    if (this.#stage !== 'closed') this.#socket.write(CLOSE_FRAME)
  }

  /** The server is to end this connection: that it does is no error. */
  expectEnd(): void {
    this.#closing = true
  }

  /** Hangs up without a word. */
  destroy(): void {
    this.#closing = true
    this.#socket.destroy()
  }

  #has(stage: 'open' | 'joined' | 'closed'): boolean {
    return this.#stage === stage || (this.#stage === 'joined' && stage === 'open')
  }

  #receive(chunk: Buffer): void {
    if (this.#head === undefined) return this.#reader.push(chunk)
    this.#head += chunk.toString('latin1')
    const end = this.#head.indexOf('\r\n\r\n')
    if (end < 0) return
    if (!this.#head.startsWith('HTTP/1.1 101')) {
      this.#state.firstError ??= this.#head
      this.destroy()
      return
    }
    const rest = Buffer.from(this.#head.slice(end + 4), 'latin1')
    this.#head = undefined
    this.#follow(this.#state.dialect.greeting(this.party))
    if (rest.length > 0) this.#reader.push(rest)
  }

  #read(opcode: number, bytes: Buffer, start: number, end: number): void {
    if (opcode === OPCODE.TEXT) this.#readText(bytes, start, end)
    else if (opcode === OPCODE.PING)
      this.#socket.write(maskedFrame(OPCODE.PONG, Buffer.from(bytes.subarray(start, end))))
    else if (opcode === OPCODE.CLOSE) {
      if (!this.#closing) {
        this.#state.counts.errors += 1
        this.#state.firstError ??= `closed by the server: ${bytes.toString('latin1', start, end)}`
      }
      this.#socket.end()
    }
  }

  #readText(bytes: Buffer, start: number, end: number): void {
    const at = start + this.#state.dialect.typeAt
    const first = (bytes[at] ?? 0) | LOWER_CASE
    const second = (bytes[at + 1] ?? 0) | LOWER_CASE
    const third = (bytes[at + 2] ?? 0) | LOWER_CASE
    if (first === C && second === A && third === N) return this.#deliver(bytes, start, end)
    if (first === A && second === C && third === K) {
      this.#state.counts.acknowledged += 1
      return
    }
    const text = bytes.toString('utf8', start, end)
    if (first === E && second === R) {
      if (text.includes('"ref":')) this.#state.counts.refused += 1
      else this.#state.counts.errors += 1
      this.#state.firstError ??= text
    }
    this.#follow(this.#state.dialect.react(text, this.party))
  }

  #deliver(bytes: Buffer, start: number, end: number): void {
    const sender = this.partner
    if (this.#idAt < 0) this.#idAt = findId(bytes, start, end)
    const number = readId(bytes, start + this.#idAt)
    if (sender === undefined || !(number > 0 && number <= sender.sent)) {
      this.#state.counts.errors += 1
      this.#state.firstError ??= `not for ${this.party.userId}: ${bytes.toString('utf8', start, end)}`
      return
    }
    this.#state.window.add(sender.#sentAt[number % IN_FLIGHT_MAX] ?? 0, performance.now())
    this.#order.take(number, this.#state.counts)
    this.#state.onDelivered(this)
  }

  #follow({ send, reached }: Reaction): void {
    // What is said on being let in is the wish to join.
    const isWish = reached === 'open' && !this.#state.joins
    if (send !== undefined && !isWish) this.#socket.write(textFrame(send))
    if (reached !== undefined && this.#stage !== 'joined') this.#enter(reached)
  }

  #ended(): void {
    if (this.#stage === 'closed') return
    if (!this.#closing) {
      this.#state.counts.errors += 1
      this.#state.firstError ??= `a connection was lost while ${this.#stage}`
    }
    this.#socket.destroy()
    this.#enter('closed')
  }

  #enter(stage: 'open' | 'joined' | 'closed'): void {
    this.#stage = stage
    const waiting = this.#waiting
    this.#waiting = []
    for (const waiter of waiting) {
      if (this.#has(waiter.stage)) waiter.resolve()
      else if (stage === 'closed') waiter.reject(new Error(this.#state.firstError ?? 'the connection ended'))
      else this.#waiting.push(waiter)
    }
  }
}
