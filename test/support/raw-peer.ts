/** A raw WebSocket client, written from the contract: one JSON object a frame, the token in the query. */
import { WebSocket } from 'ws'
import type { ErrorBody } from '../../core/protocol/errors.ts'
import type { AckReply } from '../../core/protocol/signaling.ts'
import type { AnyMessage, Closing } from './inbox.ts'
import { patient } from './patience.ts'
import { type Fields, Peer, type PeerOptions, Refused } from './peer.ts'

const HANDSHAKE_DEADLINE_MS = patient(10_000)

export class RawPeer extends Peer {
  override readonly kind = 'raw'
  readonly #socket: WebSocket
  #pings = 0
  #ids = 0

  private constructor(options: PeerOptions) {
    super(options, 'raw')
    this.#socket = new WebSocket(urlOf(options), {
      headers: { ...options.headers, ...authorization(options) },
      handshakeTimeout: HANDSHAKE_DEADLINE_MS,
      perMessageDeflate: false,
      autoPong: options.answersPings ?? true,
    })
    this.#socket.on('message', (data, isBinary) => {
      if (isBinary) throw new Error('The server sent a binary frame')
      this.inbox.push(JSON.parse(String(data)) as AnyMessage)
    })
    // `ws` answers a ping by itself, before it tells of it.
    this.#socket.on('ping', () => {
      this.#pings += 1
    })
    this.#socket.on('close', (code, reason) => this.ended({ code, reason: String(reason) }))
    this.#socket.on('error', () => {
      // A refusal is reported by connect(); after that the close event follows.
    })
  }

  override stopReading(): void {
    this.#socket.pause()
  }

  /** @throws Refused where the server answers with anything but an upgrade */
  static connect(options: PeerOptions): Promise<RawPeer> {
    const peer = new RawPeer(options)
    return new Promise((resolve, reject) => {
      peer.#socket.once('open', () => resolve(peer))
      peer.#socket.once('error', reject)
      peer.#socket.once('unexpected-response', (request, response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        response.once('end', () => {
          request.destroy()
          peer.#socket.terminate()
          peer.ended({ code: undefined, reason: 'refused' })
          const body = readEnvelope(text)
          reject(
            new Refused({
              message: `The handshake was refused with ${response.statusCode} ${text}`,
              status: response.statusCode,
              code: body?.error.code,
              headers: response.headers,
              body,
            }),
          )
        })
      })
    })
  }

  /** Tells of each frame as it came: what a parser makes of it hides names that it has twice. */
  onText(listener: (text: string) => void): void {
    this.#socket.on('message', (data) => listener(String(data)))
  }

  /** Pings that came and were answered. */
  get pings(): number {
    return this.#pings
  }

  override send(message: Fields): void {
    this.#socket.send(JSON.stringify(message))
  }

  override sendRaw(data: string | Buffer): void {
    this.#socket.send(data)
  }

  /** Bytes in a text frame, whether they are text or not. */
  sendBytesAsText(data: Buffer): void {
    this.#socket.send(data, { binary: false })
  }

  override async sendAndAck(message: Fields & { id?: string | number }): Promise<AckReply> {
    this.#ids += 1
    const id = message.id ?? `${this.userId}-${this.#ids}`
    this.send({ ...message, id })
    const reply = await this.next(
      (candidate) =>
        (candidate.type === 'ack' && candidate.id === id) || (candidate.type === 'error' && candidate.ref === id),
    )
    if (reply.type === 'ack') return { ok: true, seq: reply.seq }
    if (reply.type === 'error') return { ok: false, error: reply.error }
    throw new Error('Neither an ack nor an error')
  }

  override close(code = 1000): Promise<Closing> {
    this.#socket.close(code)
    return this.closed
  }

  override terminate(): Promise<Closing> {
    this.#socket.terminate()
    return this.closed
  }
}

function urlOf(options: PeerOptions): string {
  const url = new URL(options.path ?? (options.callId ? `/ws/signaling/${options.callId}` : '/ws/events'), options.url)
  url.protocol = 'ws:'
  if (options.token !== undefined && (options.tokenIn ?? 'query') === 'query') {
    url.searchParams.set('token', options.token)
  }
  if (options.since !== undefined) url.searchParams.set('since', options.since)
  if (options.ticket !== undefined) url.searchParams.set('ticket', options.ticket)
  if (options.device !== undefined) url.searchParams.set('device_id', options.device)
  return url.href
}

function authorization(options: PeerOptions): Record<string, string> {
  return options.tokenIn === 'header' && options.token !== undefined ? { authorization: `Bearer ${options.token}` } : {}
}

function readEnvelope(text: string): ErrorBody | undefined {
  try {
    const body = JSON.parse(text) as ErrorBody
    return typeof body.error?.code === 'string' ? body : undefined
  } catch {
    return undefined
  }
}
