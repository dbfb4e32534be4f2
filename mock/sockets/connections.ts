/** The open connections of a mock. */
import { randomUUID } from 'node:crypto'
import type { Call } from '../calls/call.ts'
import type { Script } from '../script.ts'
import type { Identity } from '../tokens.ts'

export type Message = Record<string, unknown> & { type: string }

/** What carries a connection. */
export interface Wire {
  transport: 'raw' | 'socket.io'
  send(message: Message): void
  /** Ends it with a close code; Socket.IO, which knows none, disconnects. */
  close(code: number): void
}

export class Connection {
  readonly id = randomUUID()
  readonly identity: Identity
  /** Undefined for a user channel. */
  readonly call: Call | undefined
  /** The token's, or what the client says. */
  readonly device: string | undefined
  isOpen = true
  isJoined = false
  /** The number of the last message of the room's log that was sent here. */
  place = 0
  /** The last one that has surely arrived: it was sent before a ping that the client has answered. */
  confirmed = 0
  #pingedAt = 0
  readonly #wire: Wire
  readonly #script: Script

  constructor(
    facts: { identity: Identity; call: Call | undefined; device: string | undefined },
    wire: Wire,
    script: Script,
  ) {
    this.identity = facts.identity
    this.call = facts.call
    this.device = facts.device
    this.#wire = wire
    this.#script = script
  }

  startAt(place: number): void {
    this.place = place
    this.confirmed = place
    this.#pingedAt = place
  }

  pinged(): void {
    this.#pingedAt = this.place
  }

  ponged(): void {
    this.confirmed = Math.max(this.confirmed, this.#pingedAt)
  }

  get userId(): string {
    return this.identity.userId
  }

  get transport(): string {
    return this.#wire.transport
  }

  send(message: Message): void {
    this.#script.send(this.userId, message.type, () => {
      if (this.isOpen) this.#wire.send(message)
    })
  }

  close(code: number): void {
    if (this.isOpen) this.#wire.close(code)
  }
}

export class Connections {
  readonly #open = new Set<Connection>()

  add(connection: Connection): void {
    this.#open.add(connection)
  }

  remove(connection: Connection): void {
    this.#open.delete(connection)
  }

  all(): Connection[] {
    return [...this.#open]
  }

  ofCall({ id }: Call): Connection[] {
    return this.all().filter(({ call }) => call?.id === id)
  }

  channelsOf(userId: string): Connection[] {
    return this.all().filter((each) => each.call === undefined && each.userId === userId)
  }

  /** Of one kind: call connections of any call, or user channels. */
  ofKind(userId: string, isChannel: boolean): Connection[] {
    return this.all().filter((each) => each.userId === userId && (each.call === undefined) === isChannel)
  }
}
