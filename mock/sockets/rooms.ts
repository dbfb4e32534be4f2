/**
 * The rooms: who is in them, and the log of what was said, from which everybody gets what waited or was missed
 * (protocol, "Acknowledgements and ids" and "Absence and replay").
 */
import { type Call, isLive, otherOf, statusMessage } from '../calls/call.ts'
import type { CallBook } from '../calls/call-book.ts'
import type { MockClock } from '../clock.ts'
import type { Connection, Message } from './connections.ts'

interface Entry {
  number: number
  to: string
  message: Message
}

class Room {
  readonly call: Call
  /** What makes a `seq` of another room none of this one. */
  readonly epoch = String(Math.floor(Math.random() * 1e12))
  readonly log: Entry[] = []
  readonly members = new Map<string, Set<Connection>>()
  /** Users between two connections: what takes their departure back. */
  readonly graces = new Map<string, () => void>()
  /** How far the last connection of a user was. */
  readonly places = new Map<string, number>()
  readonly acked = new Map<string, string>()
  readonly everJoined = new Set<string>()
  readonly reported = new Map<string, string>()

  constructor(call: Call) {
    this.call = call
  }

  get end(): number {
    return this.log.at(-1)?.number ?? 0
  }

  seq(number: number): string {
    return `${this.epoch}-${number}`
  }

  /** The number that a `seq` of this room names; undefined for anything else. */
  numberOf(seq: string): number | undefined {
    const [epoch, number, ...more] = seq.split('-')
    return epoch === this.epoch && more.length === 0 && /^\d+$/.test(number ?? '') ? Number(number) : undefined
  }

  get participants(): string[] {
    return [this.call.callerId, this.call.calleeId].filter((user) => this.members.has(user) || this.graces.has(user))
  }

  joined(): Connection[] {
    return [...this.members.values()].flatMap((set) => [...set])
  }
}

export class Rooms {
  readonly #rooms = new Map<string, Room>()
  readonly #clock: MockClock
  readonly #graceMs: number
  readonly #calls: () => Pick<CallBook, 'watchPeers'>

  constructor(clock: MockClock, graceMs: number, calls: () => Pick<CallBook, 'watchPeers'>) {
    this.#clock = clock
    this.#graceMs = graceMs
    this.#calls = calls
  }

  join(connection: Connection, call: Call): void {
    const room = this.#of(call)
    this.#enter(room, connection, room.places.get(connection.userId) ?? 0)
    this.#deliverMissed(room, connection)
  }

  /** Joins by itself with what comes after `since`; says honestly whether that is all. */
  resume(connection: Connection, call: Call, since: string): void {
    const room = this.#of(call)
    const number = room.numberOf(since)
    const isKnown = number !== undefined && number <= room.end
    this.#enter(
      room,
      connection,
      number === undefined ? (room.places.get(connection.userId) ?? 0) : Math.min(number, room.end),
    )
    const count = this.#missed(room, connection).length
    connection.send({ type: 'resumed', call_id: call.id, recovered: isKnown, count, seq: room.seq(connection.place) })
    this.#deliverMissed(room, connection)
  }

  leave(connection: Connection, call: Call, how: 'clean' | 'lost'): void {
    const room = this.#of(call)
    const members = room.members.get(connection.userId)
    if (!connection.isJoined || members === undefined) return
    connection.isJoined = false
    members.delete(connection)
    room.places.set(connection.userId, how === 'clean' ? connection.place : connection.confirmed)
    if (members.size > 0) return
    room.members.delete(connection.userId)
    room.reported.delete(connection.userId)
    if (how === 'clean') this.#departed(room, connection.userId)
    else {
      const end = this.#clock.after(this.#graceMs, () => {
        room.graces.delete(connection.userId)
        this.#departed(room, connection.userId)
      })
      room.graces.set(connection.userId, end)
    }
    this.#watch(room)
  }

  /** Numbers a message and delivers it. Returns its `seq`; a repeated id has that of its first time. */
  relay(connection: Connection, call: Call, message: Message): string {
    const room = this.#of(call)
    const { id } = message
    const key = id === undefined ? undefined : `${connection.userId} ${connection.device ?? ''} ${typeof id} ${id}`
    const known = key === undefined ? undefined : room.acked.get(key)
    if (known !== undefined) return known
    const seq = this.#append(room, message, String(message.to).toLowerCase())
    if (key !== undefined) room.acked.set(key, seq)
    return seq
  }

  /** A participant without a connection says something to the other one. */
  say(call: Call, userId: string, message: Message): void {
    this.#append(this.#of(call), { to: otherOf(call, userId), ...message }, otherOf(call, userId))
  }

  report(connection: Connection, call: Call, state: string): void {
    this.#of(call).reported.set(connection.userId, state === 'failed' ? 'disconnected' : state)
  }

  connectionStatus(call: Call, userId: string): string {
    const room = this.#of(call)
    if (!room.everJoined.has(userId) && isLive(call)) return 'connecting'
    if (!isLive(call) || !room.members.has(userId)) return 'disconnected'
    return room.reported.get(userId) ?? 'connected'
  }

  othersIn(connection: Connection, call: Call): Connection[] {
    return [...(this.#of(call).members.get(otherOf(call, connection.userId)) ?? [])]
  }

  #append(room: Room, message: Message, to: string): string {
    const entry = { number: room.end + 1, to, message }
    room.log.push(entry)
    for (const member of room.members.get(to) ?? []) this.#deliver(room, member, entry)
    return room.seq(entry.number)
  }

  #of(call: Call): Room {
    const room = this.#rooms.get(call.id) ?? new Room(call)
    this.#rooms.set(call.id, room)
    return room
  }

  #enter(room: Room, connection: Connection, place: number): void {
    const { userId } = connection
    const isFirst = !room.members.has(userId) && !room.graces.has(userId)
    room.graces.get(userId)?.()
    room.graces.delete(userId)
    const members = room.members.get(userId) ?? new Set()
    room.members.set(userId, members.add(connection))
    room.everJoined.add(userId)
    if (!connection.isJoined) connection.startAt(place)
    connection.isJoined = true
    const joined = { type: 'user-joined', call_id: room.call.id, user_id: userId, participants: room.participants }
    const seq = room.seq(connection.place)
    connection.send({ ...joined, seq })
    connection.send({ ...statusMessage(room.call, this.#clock.now()), seq })
    if (isFirst)
      for (const other of room.joined()) if (other !== connection) other.send({ ...joined, seq: room.seq(other.place) })
    this.#watch(room)
  }

  #departed(room: Room, userId: string): void {
    // The last message of a call is its end.
    if (!isLive(room.call)) return
    for (const other of room.joined())
      other.send({
        type: 'user-left',
        call_id: room.call.id,
        user_id: userId,
        participants: room.participants,
        seq: room.seq(other.place),
      })
  }

  #missed(room: Room, { userId, place }: Connection): Entry[] {
    return room.log.filter(({ to, number }) => to === userId && number > place)
  }

  #deliverMissed(room: Room, connection: Connection): void {
    for (const entry of this.#missed(room, connection)) this.#deliver(room, connection, entry)
  }

  #deliver(room: Room, connection: Connection, { number, message }: Entry): void {
    connection.place = number
    connection.send({ ...message, seq: room.seq(number) })
  }

  #watch(room: Room): void {
    const { callerId, calleeId } = room.call
    const haveBothJoined = room.everJoined.has(callerId) && room.everJoined.has(calleeId)
    this.#calls().watchPeers(room.call, { areGone: room.members.size === 0, haveBothJoined })
  }
}
