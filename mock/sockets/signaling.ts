/** What becomes of a handshake, of a message, and of the end of a connection, whatever carries them. */
import { type Call, isLive, isParticipant, otherOf, statusMessage } from '../calls/call.ts'
import { envelopeOf, invalidField, MockError } from '../errors.ts'
import { incomingCall } from '../http/answers.ts'
import { isDeviceId, isUuid } from '../ids.ts'
import { identify, type Service } from '../service.ts'
import { Connection, type Message, type Wire } from './connections.ts'
import { readMessage } from './read-message.ts'

export const CLOSE = { over: 1000, notJson: 1003, flood: 1008, restarting: 1012, token: 4401, replaced: 4409 } as const
const CONNECTIONS_OF_A_KIND = 5

/** The parameters of a handshake, the most important credential first. */
export interface Handshake {
  tokens: (string | null | undefined)[]
  ticket: string | undefined
  callId: string | undefined
  since: string | undefined
  deviceId: string | undefined
  transport: string
}

/** What answers one message beside an `ack` or an `error`: the callback of Socket.IO. */
export type Callback = (reply: { ok: true; seq?: string } | { ok: false; error: object }) => void

export class Signaling {
  readonly #service: Service

  constructor(service: Service) {
    this.#service = service
  }

  /** Judges a handshake. Returns what opens the connection once there is a wire. @throws MockError */
  admit(handshake: Handshake): (wire: Wire) => Connection {
    const { script } = this.#service
    let userId = ''
    try {
      const facts = this.#judge(handshake, (known) => {
        userId = known
      })
      script.record({
        kind: 'handshake',
        userId,
        callId: handshake.callId,
        transport: handshake.transport,
        refused: undefined,
      })
      return (wire) => this.#open(new Connection(facts, wire, script), handshake.since)
    } catch (error) {
      const refused = error instanceof MockError ? error.code : 'INTERNAL_ERROR'
      script.record({ kind: 'handshake', userId, callId: handshake.callId, transport: handshake.transport, refused })
      throw error
    }
  }

  #judge({ tokens, ticket, callId, deviceId }: Handshake, onKnown: (userId: string) => void) {
    const { script, tickets, calls, connections } = this.#service
    const given = tokens.find((token) => token?.trim())
    const asTicket = ticket ?? (given?.startsWith('wst_') ? given : undefined)
    const identity = asTicket === undefined ? identify(this.#service, tokens) : tickets.take(asTicket)
    onKnown(identity.userId)
    script.beforeHandshake(identity.userId)
    if (deviceId !== undefined && !isDeviceId(deviceId)) throw invalidField('device_id', 'must be 1 to 128 characters')
    const device = identity.device ?? deviceId
    if (callId === undefined) {
      assertRoom(connections.ofKind(identity.userId, true))
      return { identity, call: undefined, device }
    }
    if (!isUuid(callId)) throw invalidField('call_id', 'must be a UUID')
    const call = calls.require(callId)
    if (!isParticipant(call, identity.userId)) throw new MockError('FORBIDDEN', 'The user has no part in this call')
    if (!isLive(call)) throw new MockError('CALL_ALREADY_ENDED', 'Cannot perform action on ended call')
    const others = connections.ofKind(identity.userId, false)
    assertRoom(others.filter((other) => !isReplaced(other, call, identity.userId, device)))
    return { identity, call, device }
  }

  #open(connection: Connection, since: string | undefined): Connection {
    const { connections, presence, rooms, clock, calls } = this.#service
    const { call, userId, identity } = connection
    for (const other of connections.all())
      if (call !== undefined && isReplaced(other, call, userId, connection.device))
        this.#dismiss(other, new MockError('CONFLICT', 'A newer connection of this device'), CLOSE.replaced)
    connections.add(connection)
    presence.connected(userId)
    if (call === undefined) {
      clock.after(Math.max(0, identity.expiresAtMs - clock.now()), () =>
        this.#dismiss(connection, new MockError('UNAUTHORIZED', 'The token has expired'), CLOSE.token),
      )
      const live = calls.liveOf(userId)
      if (live?.status === 'connecting' && live.calleeId === userId)
        connection.send(incomingCall(live, this.#service.view()))
    } else if (isElsewhere(connection, call)) {
      connection.send(statusMessage(call, clock.now()))
      connection.close(CLOSE.over)
    } else if (since !== undefined) rooms.resume(connection, call, since)
    return connection
  }

  /** The wire has ended; `clean` where the client has said goodbye. */
  closed(connection: Connection, how: 'clean' | 'lost'): void {
    if (!connection.isOpen) return
    connection.isOpen = false
    const { connections, presence, rooms, script } = this.#service
    connections.remove(connection)
    presence.disconnected(connection.userId)
    if (connection.call !== undefined) rooms.leave(connection, connection.call, how)
    script.record({ kind: 'closed', userId: connection.userId, callId: connection.call?.id })
  }

  /** Takes what a client has sent, already parsed. A fault is answered and ends nothing but what the protocol says. */
  receive(connection: Connection, value: unknown, callback?: Callback): void {
    let message: Message | undefined
    try {
      message = readMessage(value)
      this.#service.script.record({ kind: 'message', userId: connection.userId, callId: connection.call?.id, message })
      const seq =
        connection.call === undefined
          ? this.#onChannel(connection, message)
          : this.#onCall(connection, connection.call, message)
      const place = seq === undefined ? {} : { seq }
      callback?.({ ok: true, ...place })
      if (message.id !== undefined) connection.send({ type: 'ack', id: message.id, ...place })
    } catch (error) {
      this.#refuse(connection, error, value, callback)
    }
  }

  /** Tells of a fault and ends the connection for it. */
  fault(connection: Connection, error: MockError, code: number): void {
    this.#dismiss(connection, error, code)
  }

  onRinging(call: Call): void {
    const { connections } = this.#service
    for (const channel of connections.channelsOf(call.calleeId)) channel.send(incomingCall(call, this.#service.view()))
  }

  onChanged(call: Call): void {
    const { connections, clock } = this.#service
    const ofCall = connections.ofCall(call)
    const channels = [call.callerId, call.calleeId].flatMap((userId) => connections.channelsOf(userId))
    for (const connection of [...ofCall, ...channels]) connection.send(statusMessage(call, clock.now()))
    for (const connection of ofCall) if (!isLive(call) || isElsewhere(connection, call)) connection.close(CLOSE.over)
  }

  #onChannel(channel: Connection, message: Message): undefined {
    if (message.type !== 'ringing')
      throw new MockError('SIGNALING_ERROR', 'A user channel takes no messages but ringing')
    assertOwn(channel, message, 'user_id')
    const { calls } = this.#service
    calls.confirmRinging(calls.require(String(message.call_id)), channel.userId)
  }

  #onCall(connection: Connection, call: Call, message: Message): string | undefined {
    const { rooms, iceServers } = this.#service
    if (message.type === 'ringing') throw new MockError('SIGNALING_ERROR', 'Send ringing over a user channel')
    if (!isLive(call)) throw new MockError('CALL_ALREADY_ENDED', 'Cannot perform action on ended call')
    if (String(message.call_id).toLowerCase() !== call.id) throw forbidden('call_id', 'is another call')
    assertOwn(connection, message, 'from' in message && message.type !== 'join-room' ? 'from' : 'user_id')
    if (message.type === 'join-room') {
      rooms.join(connection, call)
      return undefined
    }
    if (!connection.isJoined) throw new MockError('SIGNALING_ERROR', 'Join the room first')
    if (message.type === 'leave-room') rooms.leave(connection, call, 'clean')
    else if (message.type === 'connection-state') this.#report(connection, call, String(message.state))
    else if (message.type === 'ice-servers')
      connection.send({ type: 'ice-servers', call_id: call.id, iceServers, ttl_seconds: 3600 })
    else {
      if (String(message.to).toLowerCase() !== otherOf(call, connection.userId))
        throw forbidden('to', 'is not the other participant of the call')
      return rooms.relay(connection, call, message)
    }
    return undefined
  }

  #report(connection: Connection, call: Call, state: string): void {
    const { rooms, clock } = this.#service
    rooms.report(connection, call, state === 'new' ? 'connecting' : state)
    if (state !== 'failed') return
    const error = new MockError('WEBRTC_CONNECTION_FAILED', 'The other participant could not connect')
    for (const other of rooms.othersIn(connection, call)) other.send({ type: 'error', ...envelopeOf(error, clock) })
  }

  #refuse(connection: Connection, error: unknown, value: unknown, callback: Callback | undefined): void {
    const refused = error instanceof MockError ? error : new MockError('INTERNAL_ERROR', String(error))
    const { id } = (typeof value === 'object' && value !== null ? value : {}) as { id?: unknown }
    const ref = typeof id === 'string' || typeof id === 'number' ? { ref: id } : {}
    callback?.({ ok: false, error: refused.data })
    if (callback === undefined) connection.send({ type: 'error', ...envelopeOf(refused, this.#service.clock), ...ref })
    if (refused.code === 'CALL_ALREADY_ENDED' && connection.call !== undefined) connection.close(CLOSE.over)
  }

  #dismiss(connection: Connection, error: MockError, code: number): void {
    if (!connection.isOpen) return
    connection.send({ type: 'error', ...envelopeOf(error, this.#service.clock) })
    connection.close(code)
  }
}

function assertRoom(open: readonly Connection[]): void {
  if (open.length < CONNECTIONS_OF_A_KIND) return
  throw new MockError('RATE_LIMITED', 'Too many connections of this user', { headers: { 'Retry-After': '1' } })
}

/** A newer connection of a named device takes the place of the older one. */
function isReplaced(other: Connection, call: Call, userId: string, device: string | undefined): boolean {
  return device !== undefined && other.call?.id === call.id && other.userId === userId && other.device === device
}

/** The call was answered on another device of this user. */
function isElsewhere({ userId, device }: Connection, call: Call): boolean {
  return call.calleeId === userId && call.answeredByDevice !== undefined && device !== call.answeredByDevice
}

function assertOwn(connection: Connection, message: Message, field: 'from' | 'user_id'): void {
  if (String(message[field]).toLowerCase() !== connection.userId)
    throw forbidden(field, 'is not the user of this connection')
}

function forbidden(field: string, why: string): MockError {
  return new MockError('FORBIDDEN', `${field} ${why}`, { details: { field } })
}
