/** What a trial works with: users, requests and connections, all of which are its own and gone when it ends. */
import type { Connection, Opening, Transport } from './drivers/connection.ts'
import { RawConnection } from './drivers/raw.ts'
import { Rest } from './drivers/rest.ts'
import { SocketIoConnection } from './drivers/socket-io.ts'
import type { WebhookReceiver } from './drivers/webhook-receiver.ts'
import type { Settings } from './settings.ts'
import { assertShape, initiated } from './shapes.ts'
import { type Claims, mint, type User, type Users } from './users.ts'

/** A call that rings. */
export interface Ringing {
  id: string
  caller: User
  callee: User
}

export class Bench {
  readonly settings: Settings
  readonly rest: Rest
  readonly #users: Users
  readonly #borrowed: User[] = []
  readonly #connections: Connection[] = []
  readonly #calls: Ringing[] = []

  readonly #receiver: WebhookReceiver | undefined

  constructor(settings: Settings, users: Users, receiver?: WebhookReceiver) {
    this.settings = settings
    this.#users = users
    this.#receiver = receiver
    this.rest = new Rest(settings.origin)
  }

  /** Users in no call. All that a trial needs at once, so that trials never wait for each other in a circle. */
  async users(count: number): Promise<User[]> {
    if (this.#borrowed.length > 0) throw new Error('A trial borrows its users once')
    const users = await this.#users.borrow(count)
    this.#borrowed.push(...users)
    return users
  }

  async user(): Promise<User> {
    return (await this.users(1))[0] as User
  }

  async trio(): Promise<[User, User, User]> {
    return (await this.users(3)) as [User, User, User]
  }

  async pair(): Promise<[User, User]> {
    return (await this.users(2)) as [User, User]
  }

  /** A token of the target with these claims, for trials that need the capability `secret`. */
  mint(claims: Claims, header?: Record<string, unknown>): string {
    return mint(this.settings.secret ?? '', claims, header)
  }

  /** The same user with a token of other claims. */
  as(user: User, claims: Claims): User {
    return { id: user.id, token: this.mint({ sub: user.id, ...claims }) }
  }

  /** A new call of `caller`, which rings. It is ended when the trial is. */
  async ring(caller: User, callee: User, type: 'voice' | 'video' = 'voice'): Promise<Ringing> {
    const answer = await this.rest.initiate(caller, callee, { type })
    const ringing = { id: assertShape(initiated, answer.body).call_id, caller, callee }
    this.#calls.push(ringing)
    return ringing
  }

  /** A call between two users, answered. */
  async talk(caller: User, callee: User, device?: string): Promise<Ringing> {
    const call = await this.ring(caller, callee)
    const answer = await this.rest.answer(callee, call.id, device === undefined ? {} : { device_id: device })
    if (answer.status !== 200) throw new Error(`The answer was refused: ${answer.text}`)
    return call
  }

  /** @throws Refused */
  async connect(transport: Transport, user: User, opening: Opening = {}): Promise<Connection> {
    const { origin, patienceMs } = this.settings
    const connection =
      transport === 'raw WebSocket'
        ? await RawConnection.open(origin, user, opening, patienceMs)
        : await SocketIoConnection.open(origin, user, opening, patienceMs, transport === 'Socket.IO by polling')
    this.#connections.push(connection)
    return connection
  }

  /** For trials that need the capability `webhooks`. */
  webhooks(): WebhookReceiver {
    if (this.#receiver === undefined) throw new Error('The target sends no webhooks to this run')
    return this.#receiver
  }

  /** Ends what the trial has left: calls would keep their users busy for those who borrow them next. */
  async close(): Promise<void> {
    for (const connection of this.#connections) connection.drop()
    for (const { id, caller } of this.#calls) await this.rest.end(caller, id).catch(() => undefined)
    this.#users.giveBack(this.#borrowed)
  }
}
