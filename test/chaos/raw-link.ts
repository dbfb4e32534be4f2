/** A raw WebSocket by the contract: one JSON object a frame, token and `since` in the query. */

import { WebSocket } from 'ws'
import type { Link, LinkEvents, LinkOptions, Message } from './link.ts'
import { onRefusal } from './refusal.ts'

export class RawLink implements Link {
  readonly #socket: WebSocket

  constructor(options: LinkOptions, events: LinkEvents) {
    const url = new URL(`/ws/signaling/${options.callId}`, options.url)
    url.protocol = 'ws:'
    url.searchParams.set('token', options.token)
    if (options.device !== '') url.searchParams.set('device_id', options.device)
    if (options.since !== undefined) url.searchParams.set('since', options.since)
    this.#socket = new WebSocket(url, { handshakeTimeout: options.handshakeMs, perMessageDeflate: false })
    let failure = ''
    let advice: number | undefined
    this.#socket.on('open', () => events.onOpen())
    this.#socket.on('message', (data) => events.onMessage(JSON.parse(String(data)) as Message))
    this.#socket.on('error', (error) => {
      failure ||= error.message
    })
    this.#socket.on('close', (code, reason) => events.onClosed(failure || `${code} ${reason}`.trim(), advice))
    onRefusal(this.#socket, (refusal) => {
      failure = refusal.why
      advice = refusal.retryAfterMs
    })
  }

  send(message: Message): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message))
  }

  drop(): void {
    this.#socket.terminate()
  }
}
