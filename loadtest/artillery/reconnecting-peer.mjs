// One side of a call over a raw WebSocket that comes back as docs/signaling-protocol.md says: with `since`, sending
// again what was not acknowledged. Counts what arrives, and measures how long it took and how long it was away.
import WebSocket from 'ws'

const CANDIDATE = 'candidate:842163049 1 udp 1677729535 198.51.100.7 46154 typ srflx raddr 0.0.0.0 rport 0'
const DEADLINE_MS = 20_000
const FIRST_PAUSE_MS = 300
const LAST_PAUSE_MS = 10_000
const LOOK_MS = 10

export class ReconnectingPeer {
  partner
  sent = 0
  received = 0
  #options
  #socket
  #since
  #joined = false
  #ended = false
  #lostAt
  #failures = 0
  #sentAt = new Map()
  #unacked = new Map()
  #heard = new Set()

  constructor(options) {
    this.#options = options
    this.#connect()
  }

  /** Resolves once the peer is in its room. @throws after a while */
  joined() {
    return until(() => this.#joined, 'a peer did not join')
  }

  /** Resolves once everything that was sent is acknowledged and has arrived at the partner. @throws after a while */
  settled() {
    return until(() => this.#unacked.size === 0 && this.partner.received >= this.sent, 'messages are missing')
  }

  /** Sends a candidate; while the connection is away it waits for the next one. */
  send() {
    this.sent += 1
    const { callId, userId, otherId } = this.#options
    const message = { type: 'candidate', id: this.sent, call_id: callId, from: userId, to: otherId }
    const text = JSON.stringify({ ...message, candidate: CANDIDATE, sdp_mid: '0', sdp_m_line_index: 0 })
    this.#unacked.set(this.sent, text)
    this.#sentAt.set(this.sent, this.#joined ? performance.now() : undefined)
    if (this.#joined) this.#socket.send(text)
  }

  /** Loses the connection, as a network does: without a goodbye. */
  cut() {
    this.#socket.terminate()
  }

  close() {
    this.#ended = true
    this.#socket.close(1000)
  }

  #connect() {
    const { origin, callId, token } = this.#options
    const since = this.#since === undefined ? '' : `&since=${this.#since}`
    const url = `${origin}/ws/signaling/${callId}?token=${token}${since}`
    const socket = new WebSocket(url, { perMessageDeflate: false })
    this.#socket = socket
    let retryAfterMs
    socket.on('open', () => {
      if (this.#since === undefined) this.#say({ type: 'join-room', user_id: this.#options.userId })
    })
    socket.on('message', (data) => this.#read(JSON.parse(data.toString())))
    socket.on('unexpected-response', (_request, response) => {
      retryAfterMs = Number(response.headers['retry-after'] ?? Number.NaN) * 1000
      response.resume()
      socket.terminate()
    })
    socket.on('error', () => {})
    socket.on('close', (code) => this.#lost(code, retryAfterMs))
  }

  #lost(code, retryAfterMs) {
    if (this.#joined) this.#lostAt = performance.now()
    this.#joined = false
    if (this.#ended || code === 1000) return
    this.#options.events?.emit('counter', 'reconnect.attempts', 1)
    const pauseMs = Math.random() * Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures)
    this.#failures += 1
    const waitMs = retryAfterMs > 0 ? retryAfterMs : code === 1012 ? 0 : pauseMs
    setTimeout(() => {
      if (!this.#ended) this.#connect()
    }, waitMs)
  }

  #say(message) {
    this.#socket.send(JSON.stringify({ call_id: this.#options.callId, ...message }))
  }

  #read(message) {
    if (message.type === 'ack') this.#unacked.delete(message.id)
    else if (message.type === 'candidate') this.#deliver(message)
    else if (message.type === 'call-status' && message.seq !== undefined && !this.#joined) this.#arrived()
    if (message.seq !== undefined && message.type !== 'ack') this.#since = message.seq
  }

  #arrived() {
    this.#joined = true
    this.#failures = 0
    if (this.#lostAt !== undefined)
      this.#options.events?.emit('histogram', 'reconnect.away', performance.now() - this.#lostAt)
    this.#lostAt = undefined
    for (const text of this.#unacked.values()) this.#socket.send(text)
  }

  #deliver({ id }) {
    const { events } = this.#options
    if (this.#heard.has(id)) {
      events?.emit('counter', 'signaling.doubled', 1)
      return
    }
    this.#heard.add(id)
    this.received += 1
    events?.emit('counter', 'signaling.delivered', 1)
    // A message whose sender or receiver was away meanwhile says nothing about the relay.
    const sentAt = this.partner.#sentAt.get(id)
    if (sentAt !== undefined) events?.emit('histogram', 'signaling.latency', performance.now() - sentAt)
    this.partner.#sentAt.delete(id)
  }
}

/** Waits for a condition. @throws where it is not met in time */
export async function until(isMet, otherwise) {
  const deadlineAt = performance.now() + DEADLINE_MS
  while (!isMet()) {
    if (performance.now() > deadlineAt) throw new Error(otherwise)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}
