/** What a handshake says, in the same order for both transports: Socket.IO's `auth`, else the query. Pure. */
import { readCredential } from '../core/platform/credentials.ts'

export interface HandshakeSources {
  /** The request target. */
  url: string | undefined
  authorization: string | undefined
  /** The payload of Socket.IO's CONNECT packet, of any form. */
  auth?: unknown
}

export class HandshakeParameters {
  readonly #query: URLSearchParams
  readonly #auth: Record<string, unknown>
  readonly #authorization: string | undefined

  constructor({ url = '', authorization, auth }: HandshakeSources) {
    const at = url.indexOf('?')
    this.#query = new URLSearchParams(at < 0 ? '' : url.slice(at + 1))
    this.#auth = typeof auth === 'object' && auth !== null ? (auth as Record<string, unknown>) : {}
    this.#authorization = authorization
  }

  /** A parameter by its name. What is empty or no text counts as absent; of a repeated one the first text counts. */
  text(name: string): string | undefined {
    const said = this.#auth[name]
    if (typeof said === 'string' && said !== '') return said
    return this.query(name)
  }

  /** As {@link text}, of the query alone. */
  query(name: string): string | undefined {
    return this.#query.getAll(name).find((text) => text !== '')
  }

  /** Token or ticket, still unverified. */
  get credential(): string | undefined {
    return readCredential({ authorization: this.#authorization, parameter: (name) => this.text(name) })
  }
}
