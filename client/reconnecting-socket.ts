/** One WebSocket after the other to the same place, until somebody says that it is enough. */
import type { CLOSE } from '../core/protocol/signaling.ts'
import { asCallingError, type CallingError } from './errors.ts'
import type { Socket, SocketConstructor, Timer } from './platform.ts'
import { type Loss, ReconnectSchedule } from './reconnect-schedule.ts'

type Code<K extends keyof typeof CLOSE> = (typeof CLOSE)[K]

/** The call is over or went elsewhere, or what this client sends is wrong: connecting again would change nothing. */
const FINAL: Set<number> = new Set([1000, 1003, 1009, 4409] satisfies [
  Code<'CALL_OVER'>,
  Code<'NOT_JSON'>,
  Code<'TOO_LARGE'>,
  Code<'REPLACED'>,
])
const LOST = 1006
const CLEAN: Code<'CALL_OVER'> = 1000
/** Of ours: not clean, so that nobody hears that we left. */
const GIVEN_UP = 4000
const OPEN = 1

/** What became of the question why handshakes fail. */
export interface Verdict {
  final?: CallingError
  retryAfterMs?: number
}

export interface SocketEnd {
  /** Close code of the server, where it was one. */
  code?: number
  error?: CallingError
}

/** Whose connection it is. */
export interface SocketHost {
  /** Where to connect now, with token and all. */
  address(): Promise<string>
  /** Asked when handshakes fail and nothing tells why. */
  ask(): Promise<Verdict>
  opened(): void
  received(text: string): void
  /** The connection is gone, or could not be made; there will be another one. */
  lost(): void
  failed(error: CallingError): void
  /** There will be no further one. */
  ended(end: SocketEnd): void
}

export class ReconnectingSocket {
  readonly #WebSocket: SocketConstructor
  readonly #host: SocketHost
  readonly #schedule: ReconnectSchedule
  #socket: Socket | undefined
  #timer: Timer | undefined
  /** What an earlier connection still has to say is not heard. */
  #turn = 0
  #over = false

  constructor(WebSocket: SocketConstructor, host: SocketHost, schedule = new ReconnectSchedule()) {
    this.#WebSocket = WebSocket
    this.#host = host
    this.#schedule = schedule
  }

  start(): void {
    void this.#connect()
  }

  /** Sends where the connection is open; says whether it was. */
  send(message: object): boolean {
    if (this.#socket?.readyState !== OPEN) return false
    this.#socket.send(JSON.stringify(message))
    return true
  }

  /** The connection does what it is there for: the next loss is a first one. */
  settled(): void {
    this.#schedule.settled()
  }

  /** Gives up the present connection, or the wait for the next one, and connects at once. */
  renew(): void {
    if (this.#over) return
    const had = this.#socket !== undefined
    this.#drop(GIVEN_UP)
    if (had) this.#host.lost()
    void this.#connect()
  }

  /** Closes cleanly. The host hears nothing more. */
  close(): void {
    this.#over = true
    this.#drop(CLEAN)
  }

  #drop(code: number): void {
    this.#turn += 1
    clearTimeout(this.#timer)
    this.#socket?.close(code)
    this.#socket = undefined
  }

  async #connect(): Promise<void> {
    this.#turn += 1
    const turn = this.#turn
    try {
      if (this.#schedule.shouldAsk) {
        const { final, retryAfterMs } = await this.#host.ask()
        if (turn !== this.#turn) return
        if (final !== undefined) return this.#end({ error: final })
        if (retryAfterMs !== undefined) return this.#wait(retryAfterMs, () => void this.#open(turn))
      }
      await this.#open(turn)
    } catch (error) {
      this.#notOpened(turn, error)
    }
  }

  async #open(turn: number): Promise<void> {
    try {
      const address = await this.#host.address()
      if (turn === this.#turn) this.#follow(new this.#WebSocket(address), turn)
    } catch (error) {
      this.#notOpened(turn, error)
    }
  }

  #notOpened(turn: number, error: unknown): void {
    if (turn !== this.#turn) return
    const reason = asCallingError(error, 'INVALID_TOKEN')
    if (reason.code === 'ORIGIN_REFUSED') return this.#end({ error: reason })
    this.#host.failed(reason)
    this.#again({ code: LOST, opened: false })
  }

  #follow(socket: Socket, turn: number): void {
    let opened = false
    this.#socket = socket
    // Everything is heard of the present connection alone.
    const now = () => turn === this.#turn
    socket.addEventListener('open', () => {
      if (!now()) return
      opened = true
      clearTimeout(this.#timer)
      this.#host.opened()
    })
    socket.addEventListener('message', ({ data }) => {
      if (now()) this.#host.received(String(data))
    })
    socket.addEventListener('close', ({ code = LOST }) => {
      if (!now()) return
      this.#socket = undefined
      clearTimeout(this.#timer)
      if (opened && FINAL.has(code)) this.#end({ code })
      else this.#again({ code, opened })
    })
    // The close that follows says all there is to know.
    socket.addEventListener('error', () => {})
    this.#wait(this.#schedule.handshakeMs, () => {
      this.#drop(GIVEN_UP)
      this.#again({ code: LOST, opened: false })
    })
  }

  #again(loss: Loss): void {
    this.#host.lost()
    if (!this.#over) this.#wait(this.#schedule.lost(loss), () => void this.#connect())
  }

  #wait(ms: number, then: () => void): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(then, ms)
  }

  #end(end: SocketEnd): void {
    this.#over = true
    this.#drop(CLEAN)
    this.#host.ended(end)
  }
}
