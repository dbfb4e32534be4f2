/** A mock of the calling service: one process, nothing kept, everything at the word of a test. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Call, CallType } from './calls/call.ts'
import { CallBook } from './calls/call-book.ts'
import { PresenceBook } from './calls/presence-book.ts'
import { MockClock } from './clock.ts'
import { HttpDoor } from './http/http-door.ts'
import { routesOf } from './http/routes.ts'
import { MinuteLimit } from './limits.ts'
import { type Received, Script } from './script.ts'
import type { Service } from './service.ts'
import { Connections } from './sockets/connections.ts'
import { RawDoor } from './sockets/raw-door.ts'
import { Rooms } from './sockets/rooms.ts'
import { Signaling } from './sockets/signaling.ts'
import { SocketIoDoor } from './sockets/socket-io-door.ts'
import { Tickets } from './tickets.ts'
import { mintToken } from './tokens.ts'

export interface MockOptions {
  /** A free one where it is left out. */
  port?: number
  /** The HS256 secret of tokens. */
  secret?: string
  ringSeconds?: number
  graceSeconds?: number
  iceServers?: Service['iceServers']
}

export interface MockUser {
  id: string
  token: string
}

/** What a call of the mock is like now. */
export type MockCall = Readonly<Call>

export class MockServer {
  /** `http://127.0.0.1:port`: of REST, raw WebSockets and Socket.IO. */
  readonly url: string
  readonly secret: string
  readonly script: Script
  readonly #service: Service
  readonly #stop: () => Promise<void>

  constructor(service: Service, url: string, stop: () => Promise<void>) {
    this.#service = service
    this.#stop = stop
    this.url = url
    this.secret = service.secret
    this.script = service.script
  }

  /** Everything that clients have sent, in order. */
  get received(): readonly Received[] {
    return this.script.received
  }

  /** A new user with a token of an hour; claims may name a `sub`, a `device_id`, a `name`, an `exp`. */
  user(claims: Record<string, unknown> = {}): MockUser {
    const id = typeof claims.sub === 'string' ? claims.sub : randomUUID()
    return { id, token: mintToken(this.secret, this.#service.clock, { sub: id, ...claims }) }
  }

  /** Somebody, whom nobody plays, calls this user. */
  ring(calleeId: string, options: { callerId?: string; type?: CallType } = {}): MockCall {
    const { callerId = randomUUID(), type = 'voice' } = options
    const always = { merge: false, declineRinging: false, deviceId: undefined }
    const wanted = { callerId, calleeId, type, ...always, calleeIsOffline: false, calleeIsHidden: false }
    return this.#service.calls.initiate(wanted).call
  }

  /** The callee answers, on a device that nobody plays. */
  answer(callId: string, device?: string): MockCall {
    const call = this.#service.calls.require(callId)
    return this.#service.calls.answer(call, call.calleeId, device)
  }

  /** A participant ends the call; the caller where none is named. */
  end(
    callId: string,
    options: { userId?: string; reason?: 'user_hangup' | 'connection_failed' | 'timeout' } = {},
  ): MockCall {
    const call = this.#service.calls.require(callId)
    return this.#service.calls.end(call, options.userId ?? call.callerId, options.reason ?? 'user_hangup')
  }

  /** @throws where there is no such call */
  call(callId: string): MockCall {
    return this.#service.calls.require(callId)
  }

  /** A participant whom nobody plays says something: an offer, an answer or a candidate. */
  say(callId: string, userId: string, message: Record<string, unknown> & { type: string }): void {
    const { rooms, calls } = this.#service
    const call = calls.require(callId)
    rooms.say(call, userId, { call_id: call.id, from: userId, ...message })
  }

  /** Ends connections with a close code, those of one user where one is named. Returns how many. */
  closeConnections(code: number, userId?: string): number {
    const chosen = this.#service.connections.all().filter((each) => userId === undefined || each.userId === userId)
    for (const connection of chosen) connection.close(code)
    return chosen.length
  }

  /** Leaps ahead: rings end, graces pass, tokens expire. */
  advance(ms: number): void {
    this.#service.clock.advance(ms)
  }

  /** Ends every connection and listens no more. */
  close(): Promise<void> {
    return this.#stop()
  }
}

/** Starts a mock that listens on the loopback interface. */
export async function startMock(options: MockOptions = {}): Promise<MockServer> {
  // Tokens in queries and headers may have 24 KiB, as the contract's decisions say.
  const http = createServer({ maxHeaderSize: 64 * 1024 })
  http.listen(options.port ?? 0, '127.0.0.1')
  await once(http, 'listening')
  const { port } = http.address() as AddressInfo
  const service = createService(options, `127.0.0.1:${port}`)
  const signaling = new Signaling(service.service)
  service.told.push(signaling)
  const door = new HttpDoor(service.service, routesOf(service.service))
  const raw = new RawDoor(signaling, service.service.clock)
  http.on('request', (request, response) => {
    if (!request.url?.startsWith('/socket.io/')) void door.handle(request, response)
  })
  http.on('upgrade', (request, socket, head) => {
    if (!request.url?.startsWith('/socket.io/')) raw.upgrade(request, socket, head)
  })
  const socketIo = new SocketIoDoor(http, signaling)
  const stop = async () => {
    service.service.clock.stop()
    for (const connection of service.service.connections.all()) connection.close(1001)
    http.closeAllConnections()
    await socketIo.close()
  }
  return new MockServer(service.service, `http://127.0.0.1:${port}`, stop)
}

function createService(options: MockOptions, host: string): { service: Service; told: Signaling[] } {
  const clock = new MockClock()
  /** Who hears of calls; the doors come after the calls that they serve. */
  const told: Signaling[] = []
  const calls = new CallBook(
    clock,
    {
      ringMs: 1000 * (options.ringSeconds ?? 45),
      setupMs: 60_000,
      lostPeersMs: 60_000,
      unreachableMs: 15_000,
      unansweredMax: 8,
      unansweredWindowMs: 600_000,
    },
    {
      onRinging: (call) => {
        for (const each of told) each.onRinging(call)
      },
      onChanged: (call) => {
        for (const each of told) each.onChanged(call)
      },
    },
  )
  const minute = (max: number) => new MinuteLimit(clock, max)
  const service: Service = {
    secret: options.secret ?? 'the secret of a mock',
    clock,
    calls,
    presence: new PresenceBook(clock),
    rooms: new Rooms(clock, 1000 * (options.graceSeconds ?? 10), () => calls),
    connections: new Connections(),
    tickets: new Tickets(clock),
    script: new Script((ms, run) => clock.after(ms, run)),
    limits: { initiate: minute(10), presence: minute(100), history: minute(100), ticket: minute(100) },
    iceServers: options.iceServers ?? [],
    view: () => ({ nowMs: clock.now(), socketOrigin: `ws://${host}` }),
  }
  return { service, told }
}
