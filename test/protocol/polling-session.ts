/** An Engine.IO v4 session by HTTP long polling, without a library. */

/** Engine.IO v4 parts the packets of a payload by the ASCII record separator. */
export const SEPARATOR = '\x1e'

/** The `open` packet. */
export interface OpenPacket {
  sid: string
  upgrades: string[]
  pingInterval: number
  pingTimeout: number
  maxPayload: number
}

export interface HttpReply {
  status: number
  body: string
  headers: Headers
}

export async function request(url: string, init: RequestInit = {}): Promise<HttpReply> {
  const response = await fetch(url, init)
  return { status: response.status, body: await response.text(), headers: response.headers }
}

/** The URL of a transport at `origin`. */
export function engineUrl(origin: string, transport: 'polling' | 'websocket', query: Record<string, string>): string {
  return `${origin}/socket.io/?${new URLSearchParams({ EIO: '4', transport, ...query })}`
}

export class PollingSession {
  readonly open: OpenPacket
  /** Of the session; its requests differ by method alone. */
  readonly url: string
  #packets: string[] = []

  private constructor(origin: string, query: Record<string, string>, open: OpenPacket) {
    this.open = open
    this.url = engineUrl(origin, 'polling', { ...query, sid: open.sid })
  }

  static async start(origin: string, query: Record<string, string> = {}): Promise<PollingSession> {
    const { status, body } = await request(engineUrl(origin, 'polling', query))
    if (status !== 200 || !body.startsWith('0')) throw new Error(`No session: ${status} ${body}`)
    return new PollingSession(origin, query, JSON.parse(body.slice(1)) as OpenPacket)
  }

  poll(): Promise<HttpReply> {
    return request(this.url)
  }

  post(...packets: string[]): Promise<HttpReply> {
    return request(this.url, { method: 'POST', body: packets.join(SEPARATOR) })
  }

  /** The next packet, polled for where none is left; pings are answered and not shown. */
  async next(): Promise<string> {
    for (;;) {
      const packet = this.#packets.shift()
      if (packet === '2') await this.post('3')
      else if (packet !== undefined) return packet
      else await this.#fill()
    }
  }

  async #fill(): Promise<void> {
    const { status, body } = await this.poll()
    if (status !== 200) throw new Error(`The poll was answered by ${status} ${body}`)
    this.#packets.push(...body.split(SEPARATOR))
  }

  /** The next packet that is wanted; what comes before it is dropped. */
  async nextWhere(wanted: (packet: string) => boolean): Promise<string> {
    for (let packet = await this.next(); ; packet = await this.next()) if (wanted(packet)) return packet
  }
}
