/** A raw WebSocket client, as the contract describes it: one JSON object a frame, the token in the query. */
import { WebSocket } from 'ws'
import type { User } from '../users.ts'
import { Connection, type Message, type Opening, Refused } from './connection.ts'

export class RawConnection extends Connection {
  readonly #socket: WebSocket

  private constructor(origin: string, user: User, opening: Opening, patienceMs: number) {
    super('raw WebSocket', user, opening.callId, patienceMs)
    this.#socket = new WebSocket(addressOf(origin, user, opening), {
      headers: opening.headers,
      handshakeTimeout: patienceMs,
      perMessageDeflate: false,
    })
    this.#socket.on('message', (data, isBinary) => {
      // A frame that no client of the contract can read is a message without a type.
      this.took(isBinary ? { type: 'a binary frame' } : (JSON.parse(String(data)) as Message))
    })
    this.#socket.on('close', (code, reason) => this.ended({ code, reason: String(reason) }))
    this.#socket.on('error', () => {
      // `open` reports a refusal; after anything else the close follows.
    })
  }

  /** @throws Refused */
  static open(origin: string, user: User, opening: Opening, patienceMs: number): Promise<RawConnection> {
    const connection = new RawConnection(origin, user, opening, patienceMs)
    const socket = connection.#socket
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(connection))
      socket.once('error', reject)
      socket.once('unexpected-response', (request, response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        response.once('end', () => {
          request.destroy()
          socket.terminate()
          reject(new Refused(response.statusCode, errorIn(text)))
        })
      })
    })
  }

  override send(message: Message): void {
    this.#socket.send(JSON.stringify(message))
  }

  override sendText(text: string): void {
    this.#socket.send(text)
  }

  override sendBinary(bytes: Buffer): void {
    this.#socket.send(bytes, { binary: true })
  }

  /** A ping as any WebSocket may send it. */
  ping(data: Buffer): void {
    this.#socket.ping(data)
  }

  override close(): void {
    this.#socket.close(1000)
  }

  override drop(): void {
    this.#socket.terminate()
  }
}

function addressOf(origin: string, user: User, { callId, since, deviceId, token, ticket }: Opening): string {
  const address = new URL(callId === undefined ? '/ws/events' : `/ws/signaling/${callId}`, origin)
  address.protocol = address.protocol.replace('http', 'ws')
  const query = ticket === undefined ? { token: token ?? user.token } : { ticket }
  for (const [name, value] of Object.entries({ ...query, since, device_id: deviceId }))
    if (value !== undefined && value !== '') address.searchParams.set(name, value)
  return address.href
}

function errorIn(text: string): { code?: string } | undefined {
  try {
    return (JSON.parse(text) as { error?: { code?: string } }).error
  } catch {
    return undefined
  }
}
