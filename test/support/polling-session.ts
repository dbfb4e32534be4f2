/** A Socket.IO session by long polling alone, request by request, each from an address of one's choice. */
import { expect } from 'chai'
import { type RawAnswer, RawHttp } from './raw-http.ts'

/** Where a request comes from, and which edge it goes to. */
export interface Route {
  url: string
  /** An address of 127.0.0.0/8. */
  from: string
}

const PATH = '/socket.io/?EIO=4&transport=polling'

export class PollingSession {
  readonly sid: string

  private constructor(sid: string) {
    this.sid = sid
  }

  static async open(route: Route): Promise<PollingSession> {
    const { body } = await ask(route, `GET ${PATH} HTTP/1.1\r\nHost: x\r\n\r\n`)
    return new PollingSession(JSON.parse(body.slice(1)).sid)
  }

  /** Asks for the main namespace, with the token where no edge can read it. */
  async connect(route: Route, token: string): Promise<void> {
    expect((await this.#post(route, `40${JSON.stringify({ token })}`)).body).to.equal('ok')
  }

  /** Packets that have come; Engine.IO's own pings among them. */
  async poll(route: Route): Promise<string> {
    const answer = await ask(route, `GET ${PATH}&sid=${this.sid} HTTP/1.1\r\nHost: x\r\n\r\n`)
    expect(answer.status, answer.body).to.equal(200)
    return answer.body
  }

  /** Says goodbye. */
  async close(route: Route): Promise<void> {
    expect((await this.#post(route, '1')).body).to.equal('ok')
  }

  async #post(route: Route, packet: string): Promise<RawAnswer> {
    const head = `POST ${PATH}&sid=${this.sid} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain`
    const answer = await ask(route, `${head}\r\nContent-Length: ${packet.length}\r\n\r\n${packet}`)
    expect(answer.status, answer.body).to.equal(200)
    return answer
  }
}

async function ask({ url, from }: Route, bytes: string): Promise<RawAnswer> {
  const connection = await RawHttp.open(url, { from })
  connection.write(bytes)
  const answer = await connection.answer()
  connection.destroy()
  return answer
}
