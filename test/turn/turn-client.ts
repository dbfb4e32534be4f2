/**
 * A TURN client of one's own, as small as RFC 8656 lets it be: it asks for an allocation over UDP with long-term
 * credentials and tells the server's verdict. WebRTC stacks hide a 401 behind candidates that never come.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'

export interface TurnCredentials {
  username: string
  credential: string
}

export interface Verdict {
  /** 0 for success, else the code of the error, as 401. */
  error: number
  /** Seconds that the allocation lives. */
  lifetime: number | undefined
}

const COOKIE = 0x2112a442
const ALLOCATE = 0x0003
const REFRESH = 0x0004
const ERROR_BIT = 0x0110
const ATTRIBUTES = {
  username: 0x06,
  integrity: 0x08,
  error: 0x09,
  lifetime: 0x0d,
  realm: 0x14,
  nonce: 0x15,
  transport: 0x19,
}
/** UDP (17), as REQUESTED-TRANSPORT has it. */
const UDP = Buffer.from([17, 0, 0, 0])
/** RFC 8489 section 6.2.1: a request over UDP is sent again until it is answered. */
const RESEND_MS = 500
const DEADLINE_MS = 8_000

interface Reply {
  type: number
  attributes: Map<number, Buffer>
}

export class TurnClient {
  readonly #socket: Socket
  readonly #port: number
  #nonce: Buffer | undefined
  #realm = ''

  private constructor(socket: Socket, port: number) {
    this.#socket = socket
    this.#port = port
  }

  /** `url` is a `turn:` URL of a server on this machine. */
  static async open(url: string): Promise<TurnClient> {
    const port = Number(/^turn:127\.0\.0\.1:(\d+)/.exec(url)?.[1])
    const socket = createSocket('udp4')
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    return new TurnClient(socket, port)
  }

  /** Asks for a relayed address; the first request is only there to be given a realm and a nonce. */
  async allocate(credentials: TurnCredentials): Promise<Verdict> {
    const challenge = await this.#ask(ALLOCATE, [[ATTRIBUTES.transport, UDP]])
    this.#learn(challenge)
    return this.#verdict(await this.#ask(ALLOCATE, [[ATTRIBUTES.transport, UDP]], credentials))
  }

  /** Prolongs the allocation. */
  async refresh(credentials: TurnCredentials): Promise<Verdict> {
    return this.#verdict(await this.#ask(REFRESH, [], credentials))
  }

  close(): void {
    this.#socket.close()
  }

  #learn({ attributes }: Reply): void {
    this.#nonce = attributes.get(ATTRIBUTES.nonce) ?? this.#nonce
    this.#realm = attributes.get(ATTRIBUTES.realm)?.toString() ?? this.#realm
  }

  #verdict({ type, attributes }: Reply): Verdict {
    const code = attributes.get(ATTRIBUTES.error)
    const failed = (type & ERROR_BIT) === ERROR_BIT
    return {
      error: failed && code !== undefined ? (code[2] ?? 0) * 100 + (code[3] ?? 0) : 0,
      lifetime: attributes.get(ATTRIBUTES.lifetime)?.readUInt32BE(),
    }
  }

  #ask(type: number, given: [number, Buffer][], credentials?: TurnCredentials): Promise<Reply> {
    const transaction = randomBytes(12)
    const request = this.#request(type, transaction, given, credentials)
    return new Promise((resolve, reject) => {
      const send = () => this.#socket.send(request, this.#port, '127.0.0.1')
      const done = () => {
        clearInterval(resend)
        clearTimeout(deadline)
        this.#socket.off('message', onMessage)
      }
      const onMessage = (data: Buffer) => {
        if (!data.subarray(8, 20).equals(transaction)) return
        done()
        resolve(readReply(data))
      }
      const resend = setInterval(send, RESEND_MS)
      const deadline = setTimeout(() => {
        done()
        reject(new Error(`The TURN server did not answer within ${DEADLINE_MS} ms`))
      }, DEADLINE_MS)
      this.#socket.on('message', onMessage)
      send()
    })
  }

  #request(type: number, transaction: Buffer, given: [number, Buffer][], credentials?: TurnCredentials): Buffer {
    if (credentials === undefined) return message(type, transaction, given)
    const { username, credential } = credentials
    const signed: [number, Buffer][] = [
      ...given,
      [ATTRIBUTES.username, Buffer.from(username)],
      [ATTRIBUTES.realm, Buffer.from(this.#realm)],
      [ATTRIBUTES.nonce, this.#nonce ?? Buffer.alloc(0)],
    ]
    const key = createHash('md5').update(`${username}:${this.#realm}:${credential}`).digest()
    // The length in the header counts the integrity attribute (24 bytes), the HMAC covers what is before it.
    const covered = message(type, transaction, [...signed, [ATTRIBUTES.integrity, Buffer.alloc(20)]]).subarray(0, -24)
    const integrity = createHmac('sha1', key).update(covered).digest()
    return message(type, transaction, [...signed, [ATTRIBUTES.integrity, integrity]])
  }
}

function message(type: number, transaction: Buffer, attributes: [number, Buffer][]): Buffer {
  const body = Buffer.concat(
    attributes.map(([kind, value]) => {
      const head = Buffer.alloc(4)
      head.writeUInt16BE(kind)
      head.writeUInt16BE(value.length, 2)
      return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)])
    }),
  )
  const header = Buffer.alloc(8)
  header.writeUInt16BE(type)
  header.writeUInt16BE(body.length, 2)
  header.writeUInt32BE(COOKIE, 4)
  return Buffer.concat([header, transaction, body])
}

function readReply(data: Buffer): Reply {
  const attributes = new Map<number, Buffer>()
  for (let at = 20; at + 4 <= data.length; ) {
    const length = data.readUInt16BE(at + 2)
    attributes.set(data.readUInt16BE(at), data.subarray(at + 4, at + 4 + length))
    at += 4 + length + ((4 - (length % 4)) % 4)
  }
  return { type: data.readUInt16BE(), attributes }
}
