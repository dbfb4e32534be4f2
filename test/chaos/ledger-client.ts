/**
 * One side of a call that keeps to the protocol's promise and to nothing more: it sends numbered messages, sends again
 * what was not acknowledged (same `id`), connects again after any loss, and resumes with the `seq` of what was delivered.
 */
import type { Side } from '../../core/rooms/room.ts'
import { kindOf, type Ledger } from './ledger.ts'
import type { Link, LinkEvents, LinkOptions, Message } from './link.ts'
import { RawLink } from './raw-link.ts'
import { SocketIoLink } from './socketio-link.ts'
import { type Cause, Trip } from './trips.ts'

export type Transport = 'raw' | 'socketio' | 'socketio anywhere'

export interface LedgerClientOptions {
  url: string
  callId: string
  side: Side
  userId: string
  otherId: string
  token: string
  device: string
  transport: Transport
  /** How long a message may stay unacknowledged before the connection counts as dead, ms. */
  patienceMs: number
  /** Mean pause between two bursts of one to three messages, ms. */
  pauseMs: number
}

/** The protocol's rule ("Reconnecting"): both double with each attempt that fails. */
const RETRY_MS = { first: 300, most: 10_000 }
const HANDSHAKE_MS = { first: 4000, most: 16_000 }
/** A refused message is sent again after this. */
const REFUSED_RETRY_MS = 250
/** Without its room after so long a connection is given up. */
const JOIN_MS = 5000
/** The server pings every 10 s and calls a peer dead after 18 s; so does this client. */
const SILENCE_MS = 18_000
const WATCH_MS = 250
const BURST_MAX = 3
/** A client that cannot get rid of its messages stops making more, as an application would. */
const UNACKED_MAX = 150

export class LedgerClient {
  readonly options: LedgerClientOptions
  readonly #ledger: Ledger
  readonly #unacked = new Map<number, number>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #link: Link | undefined
  #links = 0
  #joined = false
  #since: string | undefined
  #openedAt = 0
  #heardAt = 0
  #attempts = 0
  /** Set while the client is out of its room after a loss. */
  #trip: Trip | undefined
  #sent = 0
  #sending = false
  #stopped = false
  #joinedOnce: () => void = () => {}
  /** Resolves with the first join. */
  readonly joined: Promise<void>
  /** Every `call-status` that came, in order; `at` is the process clock's. */
  readonly statuses: { status: string; version: number; at: number }[] = []

  constructor(options: LedgerClientOptions, ledger: Ledger) {
    this.options = options
    this.#ledger = ledger
    this.joined = new Promise((resolve) => {
      this.#joinedOnce = resolve
    })
  }

  start(): void {
    this.#connect()
    const watch = setInterval(() => this.#watch(), WATCH_MS)
    this.#timers.add(watch)
  }

  /** Sends bursts from now on. */
  startSending(): void {
    this.#sending = true
    this.#later(Math.random() * this.options.pauseMs, () => this.#burst())
  }

  stopSending(): void {
    this.#sending = false
  }

  get isJoined(): boolean {
    return this.#joined
  }

  /** Numbers that were sent and are not acknowledged. */
  get unacked(): number {
    return this.#unacked.size
  }

  /** Sends one message now; returns its number. */
  sendOne(): number {
    this.#sent += 1
    this.#unacked.set(this.#sent, performance.now())
    this.#transmit(this.#sent, false)
    return this.#sent
  }

  /** Sends a message again whose acknowledgement it pretends not to have got. */
  sendAgain(number: number): void {
    this.#transmit(number, true)
  }

  /** Loses its connection, as in a tunnel, and stays away until {@link comeBack}. */
  goAway(): void {
    this.#attempts = Number.POSITIVE_INFINITY
    // At once: the end of the dropped link is heard later, perhaps after the next one is in the room.
    this.#joined = false
    this.#link?.drop()
  }

  comeBack(): void {
    this.#attempts = 0
    this.#trip = new Trip('cut', performance.now())
    this.#connect()
  }

  stop(): void {
    this.#stopped = true
    for (const timer of this.#timers) clearTimeout(timer)
    this.#link?.drop()
  }

  #later(ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      if (!this.#stopped) action()
    }, ms)
    this.#timers.add(timer)
  }

  #burst(): void {
    if (!this.#sending) return
    const size = 1 + Math.floor(Math.random() * BURST_MAX)
    if (this.#unacked.size < UNACKED_MAX) for (let count = 0; count < size; count++) this.sendOne()
    this.#later(this.options.pauseMs * (0.5 + Math.random()), () => this.#burst())
  }

  #transmit(number: number, again: boolean): void {
    const { callId, side, userId, otherId } = this.options
    this.#ledger.sent(callId, side, number, again)
    if (!this.#joined) return
    this.#unacked.set(number, performance.now())
    const text = `${callId} ${side} ${number}`
    const type = (['candidate', 'offer', 'answer'] as const)[number % 3] ?? 'offer'
    const content = type === 'candidate' ? { candidate: text, sdp_mid: '0', sdp_m_line_index: 0 } : { sdp: text }
    this.#link?.send({ type, call_id: callId, from: userId, to: otherId, ...content, id: `${side}${number}` })
  }

  #connect(): void {
    if (this.#stopped) return
    const { transport, url, callId, token, device } = this.options
    this.#links += 1
    const own = this.#links
    const events: LinkEvents = {
      onOpen: () => own === this.#links && this.#opened(),
      onMessage: (message) => own === this.#links && this.#receive(message),
      onAck: (id, reply) => own === this.#links && this.#answered(id, reply),
      onClosed: (why, advice) => own === this.#links && this.#closed(why, 'cut', advice),
    }
    const anywhere = transport === 'socketio anywhere'
    const handshakeMs = doubled(HANDSHAKE_MS, this.#attempts)
    const options: LinkOptions = { url, callId, token, device, since: this.#since, anywhere, handshakeMs }
    this.#openedAt = 0
    this.#trip?.connecting(performance.now())
    this.#link = transport === 'raw' ? new RawLink(options, events) : new SocketIoLink(options, events)
  }

  #opened(): void {
    this.#openedAt = performance.now()
    this.#heardAt = this.#openedAt
    this.#trip?.opened(this.#openedAt)
    this.#ledger.note(this.options.callId, this.options.side, `connected, since ${this.#since ?? '-'}`)
    if (this.#since === undefined) this.#join()
  }

  #join(): void {
    const { callId, userId } = this.options
    this.#link?.send({ type: 'join-room', call_id: callId, user_id: userId })
  }

  #receive(message: Message): void {
    const { callId, side, userId } = this.options
    this.#heardAt = performance.now()
    if (message.type === 'ack') return this.#acked(String(message.id), String(message.seq))
    if (message.type === 'error') return this.#refused(message)
    switch (message.type) {
      case 'offer':
      case 'answer':
      case 'candidate': {
        const [sentIn, sender, number] = String(message.sdp ?? message.candidate).split(' ')
        const content = { sentIn: String(sentIn), sender: String(sender), number: Number(number) }
        this.#ledger.delivered(callId, side, { ...content, seq: String(message.seq) })
        break
      }
      case 'call-status':
        this.statuses.push({
          status: String(message.status),
          version: Number(message.version),
          at: performance.now(),
        })
        break
      case 'user-joined':
        if (message.user_id === userId && this.#since === undefined) this.#inRoom('joined')
        break
      case 'user-left':
        this.#ledger.userLeft(callId, side)
        break
      case 'resumed':
        if (message.recovered === false) this.#ledger.gapTold(callId, side)
        this.#inRoom(`resumed ${message.recovered} ${message.count}`)
        break
    }
    if (typeof message.seq === 'string') this.#since = message.seq
  }

  #inRoom(how: string): void {
    if (this.#joined) return
    this.#joined = true
    this.#attempts = 0
    this.#ledger.note(this.options.callId, this.options.side, how)
    if (this.#trip !== undefined) this.#ledger.reconnected(this.#trip)
    this.#trip = undefined
    this.#joinedOnce()
    this.#sendAgain()
  }

  /** In the old order, as whoever sent them first meant it. */
  #sendAgain(): void {
    for (const number of [...this.#unacked.keys()].sort((x, y) => x - y)) this.#transmit(number, true)
  }

  #answered(id: string, reply: { ok: boolean; seq?: string; error?: { code: string } }): void {
    if (reply.ok) this.#acked(id, String(reply.seq))
    else this.#refused({ type: 'error', error: reply.error, ref: id })
  }

  #acked(id: string, seq: string): void {
    const number = Number(id.slice(1))
    if (this.#unacked.delete(number)) this.#ledger.acked(this.options.callId, this.options.side, number, seq)
  }

  #refused(message: Message): void {
    const { callId, side } = this.options
    const { code } = message.error as { code: string }
    this.#ledger.error(callId, side, code)
    if (typeof message.ref !== 'string') {
      // Not about a message of ours: the join failed. A new connection is the way that always works.
      if (!this.#joined) this.#giveUp(`not joined: ${code}`)
      return
    }
    if (code === 'SERVICE_UNAVAILABLE') this.#ledger.refused(callId, side, Number(message.ref.slice(1)))
    // All from there on, in order: what came after it on this connection may have been refused, too.
    const link = this.#links
    this.#later(REFUSED_RETRY_MS, () => {
      if (link === this.#links && this.#joined) this.#sendAgain()
    })
  }

  #watch(): void {
    if (this.#link === undefined || this.#openedAt === 0) return
    const now = performance.now()
    const { patienceMs } = this.options
    const [oldest] = this.#unacked.values()
    if (!this.#joined && now - this.#openedAt > JOIN_MS) this.#giveUp('not joined in time')
    else if (now - this.#heardAt > SILENCE_MS && now - this.#heardAt > patienceMs) this.#giveUp('silence')
    else if (this.#joined && oldest !== undefined && now - oldest > patienceMs) this.#giveUp('no ack in time')
  }

  #giveUp(why: string): void {
    const link = this.#link
    this.#closed(why, 'gave up')
    link?.drop()
  }

  #closed(why: string, cause: Cause, advice?: number): void {
    this.#links += 1
    this.#link = undefined
    this.#joined = false
    if (this.#stopped) return
    const now = performance.now()
    if (this.#trip === undefined) this.#trip = new Trip(cause, now)
    else this.#trip.failed(kindOf(why), now)
    this.#ledger.ended(this.options.callId, this.options.side, `${cause}: ${why}`)
    if (this.#attempts === Number.POSITIVE_INFINITY) return
    const pauseMs = advice ?? doubled(RETRY_MS, this.#attempts) * Math.random()
    this.#attempts += 1
    this.#later(pauseMs, () => this.#connect())
  }
}

function doubled({ first, most }: { first: number; most: number }, times: number): number {
  return Math.min(most, first * 2 ** times)
}
