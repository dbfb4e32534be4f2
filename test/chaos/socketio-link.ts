/**
 * Socket.IO protocol v5 over Engine.IO protocol v4, WebSocket alone, as their specifications describe them:
 * Engine.IO packets `0` open, `1` close, `2` ping, `3` pong, `4` message; in a message `0` connect, `1` disconnect,
 * `2` event, `3` ack, `4` connect error.
 */
import { WebSocket } from 'ws'
import type { Link, LinkEvents, LinkOptions, Message } from './link.ts'
import { adviceOf, onRefusal } from './refusal.ts'

export class SocketIoLink implements Link {
  readonly #socket: WebSocket
  readonly #events: LinkEvents
  readonly #auth: string
  /** Messages that wait for their callback, by packet id. */
  readonly #asked = new Map<string, string>()
  readonly #handshake: NodeJS.Timeout
  #packets = 0
  #closing = ''
  #advice: number | undefined

  constructor(options: LinkOptions, events: LinkEvents) {
    const { token, device, since, callId, anywhere, handshakeMs } = options
    const url = new URL('/socket.io/?EIO=4&transport=websocket', options.url)
    url.protocol = 'ws:'
    if (!anywhere) url.searchParams.set('call_id', callId)
    this.#auth = JSON.stringify({
      token,
      ...(anywhere ? { call_id: callId } : {}),
      ...(device === '' ? {} : { device_id: device }),
      ...(since === undefined ? {} : { since }),
    })
    this.#events = events
    this.#socket = new WebSocket(url, { handshakeTimeout: handshakeMs, perMessageDeflate: false })
    this.#handshake = setTimeout(() => this.#end('namespace handshake timed out'), handshakeMs)
    this.#socket.on('message', (data) => this.#receive(String(data)))
    this.#socket.on('error', (error) => {
      this.#closing ||= error.message
    })
    onRefusal(this.#socket, ({ why, retryAfterMs }) => {
      this.#closing = why
      this.#advice = retryAfterMs
    })
    this.#socket.on('close', (code, reason) => {
      clearTimeout(this.#handshake)
      events.onClosed(this.#closing || `${code} ${reason}`.trim(), this.#advice)
    })
  }

  #receive(packet: string): void {
    switch (packet[0]) {
      case '0':
        return this.#socket.send(`40${this.#auth}`)
      case '1':
        return this.#end('engine closed')
      case '2':
        return this.#socket.send(`3${packet.slice(1)}`)
      case '4':
        return this.#read(packet.slice(1))
    }
  }

  #read(packet: string): void {
    const [, kind, id, json] = /^(\d)(\d*)(.*)$/s.exec(packet) ?? []
    switch (kind) {
      case '0':
        clearTimeout(this.#handshake)
        return this.#events.onOpen()
      case '1':
        return this.#end('disconnected by the server')
      case '2': {
        const [event, message] = JSON.parse(json ?? '') as [string, Message]
        if (message.type !== event) throw new Error(`The event ${event} carries a ${message.type}`)
        return this.#events.onMessage(message)
      }
      case '3': {
        const asked = this.#asked.get(id ?? '')
        this.#asked.delete(id ?? '')
        if (asked !== undefined) this.#events.onAck(asked, JSON.parse(json ?? '')[0])
        return
      }
      case '4': {
        this.#advice = adviceOf(JSON.parse(json ?? '').data)
        return this.#end(`refused ${json}`)
      }
    }
  }

  send(message: Message & { id?: string }): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return
    const { type, id } = message
    let packet = ''
    if (id !== undefined) {
      this.#packets += 1
      packet = String(this.#packets)
      this.#asked.set(packet, id)
    }
    this.#socket.send(`42${packet}${JSON.stringify([type, message])}`)
  }

  #end(why: string): void {
    this.#closing ||= why
    this.#socket.terminate()
  }

  drop(): void {
    this.#end('dropped')
  }
}
