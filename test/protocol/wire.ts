/** A WebSocket client without a library: RFC 6455 frames written by hand on a TCP connection, so that they may be wrong. */
import { createHash, randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'

export const OPCODE = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const

export interface Frame {
  fin: boolean
  opcode: number
  payload: Buffer
}

export interface FrameFlaws {
  fin?: boolean
  masked?: boolean
  /** The three reserved bits, 0 to 7. */
  reserved?: number
}

/** What came instead of an upgrade, or with it. */
export interface HttpAnswer {
  status: number
  /** Names in lower case. */
  headers: Record<string, string>
  body: string
}

/** A client's frame, masked as RFC 6455 section 5.3 demands unless it is to be wrong. */
export function encodeFrame(opcode: number, payload: Buffer | string = '', flaws: FrameFlaws = {}): Buffer {
  const { fin = true, masked = true, reserved = 0 } = flaws
  const bytes = Buffer.from(payload)
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode
  const maskBit = masked ? 0x80 : 0
  if (!masked) return Buffer.concat([Buffer.from([first]), encodeLength(bytes.length, maskBit), bytes])
  const mask = randomBytes(4)
  const body = Buffer.from(bytes.map((byte, index) => byte ^ Number(mask[index % 4])))
  return Buffer.concat([Buffer.from([first]), encodeLength(bytes.length, maskBit), mask, body])
}

function encodeLength(length: number, maskBit: number): Buffer {
  if (length < 126) return Buffer.from([maskBit | length])
  if (length < 65_536) return Buffer.from([maskBit | 126, length >> 8, length & 0xff])
  const bytes = Buffer.alloc(9)
  bytes[0] = maskBit | 127
  bytes.writeBigUInt64BE(BigInt(length), 1)
  return bytes
}

/** A close frame's payload. */
export function encodeClose(code: number, reason: string | Buffer = ''): Buffer {
  return Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)])
}

/** Longer than any answer takes on a busy machine. */
const DEADLINE_MS = 15_000
const openWires = new Set<Wire>()

/** For `afterEach`: no connection outlives its test. */
export function destroyAllWires(): void {
  for (const wire of openWires) wire.destroy()
}

export class Wire {
  /** The server's answer to the handshake. */
  readonly answer: HttpAnswer
  readonly #socket: Socket
  #unread: Buffer
  #frames: Frame[] = []
  #over = false
  #fault: unknown
  #wake: () => void = () => {}

  private constructor(socket: Socket, answer: HttpAnswer, rest: Buffer) {
    this.#socket = socket
    this.answer = answer
    this.#unread = Buffer.alloc(0)
    openWires.add(this)
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('close', () => {
      this.#over = true
      openWires.delete(this)
      this.#wake()
    })
    this.#read(rest)
  }

  /** @throws where the answer is not 101, or its Sec-WebSocket-Accept is not the one that the key asks for */
  static async open(url: string, headers: Record<string, string | undefined> = {}): Promise<Wire> {
    const key = randomBytes(16).toString('base64')
    const { socket, answer, rest } = await ask(url, { 'Sec-WebSocket-Key': key, ...headers })
    if (answer.status !== 101) {
      socket.destroy()
      throw new Error(`The handshake was answered by ${answer.status} ${answer.body}`)
    }
    // RFC 6455 section 4.2.2: the GUID is part of the protocol.
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
    if (answer.headers['sec-websocket-accept'] !== accept) throw new Error('The server accepted another key')
    return new Wire(socket, answer, rest)
  }

  /** The answer to a handshake that is refused. */
  static async refusal(
    url: string,
    headers: Record<string, string | undefined> = {},
    method = 'GET',
  ): Promise<HttpAnswer> {
    const key = randomBytes(16).toString('base64')
    const { socket, answer } = await ask(url, { 'Sec-WebSocket-Key': key, ...headers }, method)
    socket.destroy()
    return answer
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  send(opcode: number, payload: Buffer | string = '', flaws: FrameFlaws = {}): void {
    this.write(encodeFrame(opcode, payload, flaws))
  }

  sendText(text: string): void {
    this.send(OPCODE.TEXT, text)
  }

  /** The next frame, of whatever kind; undefined where the connection ended instead. */
  async next(): Promise<Frame | undefined> {
    const deadlineAt = Date.now() + DEADLINE_MS
    while (this.#frames.length === 0 && !this.#over) await this.#change(deadlineAt)
    if (this.#frames.length === 0 && this.#fault !== undefined) throw this.#fault
    return this.#frames.shift()
  }

  /** The next text that is wanted; what comes before it is dropped. */
  async nextText(wanted: (text: string) => boolean = () => true): Promise<string> {
    for (;;) {
      const frame = await this.next()
      if (frame === undefined) throw new Error('The connection ended before the text came')
      if (frame.opcode === OPCODE.CLOSE) throw new Error(`Closed with ${closeCode(frame)} before the text came`)
      if (frame.opcode === OPCODE.TEXT && wanted(frame.payload.toString('utf8'))) return frame.payload.toString('utf8')
    }
  }

  /** Waits for the server's close frame; its code, 1005 where it has none, 1006 where the connection ended without one. */
  async nextClose(): Promise<number> {
    for (;;) {
      const frame = await this.next()
      if (frame === undefined) return 1006
      if (frame.opcode === OPCODE.CLOSE) return closeCode(frame)
    }
  }

  /** Waits until the TCP connection has ended, and returns the frames that nobody took. */
  async end(): Promise<Frame[]> {
    const deadlineAt = Date.now() + DEADLINE_MS
    while (!this.#over) await this.#change(deadlineAt)
    return this.#frames
  }

  destroy(): void {
    this.#socket.destroy()
  }

  async #change(deadlineAt: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve
        timer = setTimeout(() => reject(new Error(`Nothing came in ${DEADLINE_MS} ms`)), deadlineAt - Date.now())
      })
    } finally {
      clearTimeout(timer)
    }
  }

  #read(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk])
    try {
      for (let decoded = decodeFrame(this.#unread); decoded !== undefined; decoded = decodeFrame(this.#unread)) {
        this.#frames.push(decoded.frame)
        this.#unread = this.#unread.subarray(decoded.length)
      }
    } catch (error) {
      this.#fault = error
      this.#socket.destroy()
    }
    this.#wake()
  }
}

/** @throws where the server breaks RFC 6455: its frames are not masked, and without an extension no reserved bit is set */
function decodeFrame(bytes: Buffer): { frame: Frame; length: number } | undefined {
  if (bytes.length < 2) return undefined
  const [first, second] = [bytes.readUInt8(0), bytes.readUInt8(1)]
  if ((first & 0x70) !== 0) throw new Error('The server set a reserved bit')
  if ((second & 0x80) !== 0) throw new Error('The server masked a frame')
  const short = second & 0x7f
  const header = short === 126 ? 4 : short === 127 ? 10 : 2
  if (bytes.length < header) return undefined
  const size = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short
  if (bytes.length < header + size) return undefined
  const payload = bytes.subarray(header, header + size)
  return { frame: { fin: (first & 0x80) !== 0, opcode: first & 0x0f, payload }, length: header + size }
}

function closeCode({ payload }: Frame): number {
  return payload.length < 2 ? 1005 : payload.readUInt16BE(0)
}

/** Sends an upgrade request and reads its answer; a header that is undefined is left out. */
function ask(
  url: string,
  headers: Record<string, string | undefined>,
  method = 'GET',
): Promise<{ socket: Socket; answer: HttpAnswer; rest: Buffer }> {
  const { hostname, port, host, pathname, search } = new URL(url)
  const all = { Host: host, Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13', ...headers }
  const lines = Object.entries(all).filter(([, value]) => value !== undefined)
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    let bytes = Buffer.alloc(0)
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      const answer = parseAnswer(bytes)
      if (answer === undefined) return
      socket.off('data', onData)
      resolve({ socket, ...answer })
    }
    socket.setTimeout(DEADLINE_MS, () => socket.destroy(new Error('The handshake was not answered')))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('The connection ended without an answer')))
    socket.on('data', onData)
    socket.write(`${method} ${pathname}${search} HTTP/1.1\r\n${head}\r\n`)
  })
}

function parseAnswer(bytes: Buffer): { answer: HttpAnswer; rest: Buffer } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [statusLine = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  const status = Number(statusLine.split(' ')[1])
  const bodyBytes = bytes.subarray(end + 4)
  const length = status === 101 ? 0 : Number(headers['content-length'] ?? 0)
  if (bodyBytes.length < length) return undefined
  const body = bodyBytes.subarray(0, length).toString('utf8')
  return { answer: { status, headers, body }, rest: bodyBytes.subarray(length) }
}
