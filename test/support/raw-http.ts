/** HTTP byte by byte: what no client library would send, and how it is answered. */
import { connect, type Socket } from 'node:net'
import { expect } from 'chai'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
/** Longer than the edge waits for a head, on a busy machine. */
const ANSWER_DEADLINE_MS = 25_000

export interface RawAnswer {
  /** 0 where the connection was closed without a word. */
  status: number
  headers: Map<string, string>
  body: string
}

/** A connection that is written to in pieces. */
export class RawHttp {
  readonly #socket: Socket
  #text = ''
  #closed = false
  #onChange = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.#text += text
      this.#onChange()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#closed = true
      this.#onChange()
    })
  }

  /** `host` is an address of the machine; `from` the one to come from, where it is not to be the usual. */
  static open(url: string, { host = '127.0.0.1', from }: { host?: string; from?: string } = {}): Promise<RawHttp> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port: Number(new URL(url).port), host, ...(from ? { localAddress: from } : {}) })
      const connection = new RawHttp(socket)
      socket.once('connect', () => resolve(connection))
      // Turned away before a word was said.
      socket.once('error', (error: NodeJS.ErrnoException) =>
        error.code === 'ECONNRESET' ? resolve(connection) : reject(error),
      )
    })
  }

  get isClosed(): boolean {
    return this.#closed
  }

  write(text: string): void {
    if (!this.#socket.destroyed) this.#socket.write(Buffer.from(text, 'latin1'))
  }

  /** The next answer; bodies must have a length. Status 0 where the connection ends before one. */
  async answer(): Promise<RawAnswer> {
    let found: RawAnswer | undefined
    await this.#until(() => {
      found = this.#take()
      return found !== undefined
    })
    return found ?? { status: 0, headers: new Map(), body: this.#text }
  }

  /** Resolves once the other side has closed. */
  async closed(): Promise<void> {
    await this.#until(() => this.#closed)
  }

  #take(): RawAnswer | undefined {
    const end = this.#text.indexOf('\r\n\r\n')
    if (end === -1) return undefined
    const [line = '', ...rest] = this.#text.slice(0, end).split('\r\n')
    const headers = new Map(
      rest.map((header) => {
        const colon = header.indexOf(':')
        return [header.slice(0, colon).toLowerCase(), header.slice(colon + 1).trim()] as const
      }),
    )
    const status = Number(line.split(' ')[1])
    const chunked = headers.get('transfer-encoding') === 'chunked'
    const length = status === 101 || status === 204 ? 0 : Number(headers.get('content-length') ?? 0)
    const bodyEnd = chunked ? this.#text.indexOf('\r\n0\r\n\r\n', end) + 7 : end + 4 + length
    if (bodyEnd > this.#text.length || bodyEnd < end) return undefined
    const body = this.#text.slice(end + 4, bodyEnd)
    this.#text = this.#text.slice(bodyEnd)
    return { status, headers, body: chunked ? body.replace(/^[0-9a-f]+\r\n|\r\n[0-9a-f]+\r\n(\r\n)?/gi, '') : body }
  }

  #until(isDone: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('The edge neither answered nor closed')), ANSWER_DEADLINE_MS)
      const look = () => {
        if (!isDone() && !this.#closed) return
        clearTimeout(timer)
        this.#onChange = () => {}
        resolve()
      }
      this.#onChange = look
      look()
    })
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

/** Sends these bytes on a connection of their own. */
export async function sendRaw(url: string, bytes: string): Promise<RawAnswer> {
  const connection = await RawHttp.open(url)
  connection.write(bytes)
  const answer = await connection.answer()
  connection.destroy()
  return answer
}

/** Fails where an answer is not the contract's envelope. */
export function expectEnvelopeIn({ headers, body }: RawAnswer, code: string): void {
  const { error, timestamp, request_id } = JSON.parse(body)
  expect(error.code).to.equal(code)
  expect(error.message).to.be.a('string').and.not.equal('')
  expect(Date.parse(timestamp)).to.be.greaterThan(0)
  expect(request_id).to.match(UUID).and.to.equal(headers.get('x-request-id'))
}
