/** Puts the bounds of a connection around everything that Engine.IO opens; see engine-session.ts. */
import { type IncomingMessage, ServerResponse } from 'node:http'
import { AppError } from '../../core/protocol/errors.ts'
import { FloodGate } from '../flood.ts'
import { refuseRequest } from '../http-refusal.ts'
import { GuardedServer } from '../websocket/socket-guard.ts'
import { EngineSession, type EngineSocket, helloRules, sessionOf } from './engine-session.ts'
import { Lobby } from './lobby.ts'
import { limitPolling, type PollingTransport } from './polling-limits.ts'

/**
 * Sessions by polling that a node opens for clients without a token: as many as the lobby holds at once, and then a
 * fifth of a core's work. Sessions by WebSocket are upgrades, which arrivals.ts keeps in order.
 */
const OPENING = { floodBurst: 1000, floodPerSecond: 200 }

/** For Engine.IO's option `wsEngine`. */
export class EngineWebSockets extends GuardedServer {
  constructor() {
    super(helloRules)
  }
}

/** What of Engine.IO's server is replaced or used here; test/protocol/engine-io.test.ts fails if it changes. */
export interface Engine {
  clients: Record<string, EngineSocket>
  createTransport(name: string, request: unknown): object
  on(event: 'connection', listener: (conn: EngineSocket) => void): void
  use(middleware: (request: EngineRequest, response: unknown, next: () => void) => void): void
}

type EngineRequest = IncomingMessage & { _query: Record<string, string> }

/** Bounds every session of an engine. */
export function limitEngine(engine: Engine): void {
  const lobby = new Lobby()
  const create = engine.createTransport.bind(engine)
  engine.createTransport = (name, request) => {
    const transport = create(name, request)
    if (name === 'polling') {
      const polling = transport as PollingTransport
      limitPolling(polling, () => {
        const conn = engine.clients[polling.sid ?? '']
        return conn === undefined ? undefined : sessionOf(conn)
      })
    }
    return transport
  }
  const opening = new FloodGate(OPENING, performance.now())
  engine.use((request, response, next) => {
    // An upgrade has a response of the engine's own making, which cannot answer.
    const isNew = response instanceof ServerResponse && request._query.sid === undefined
    if (!isNew || opening.admit(performance.now())) return next()
    refuseRequest(request, response, new AppError('SERVICE_UNAVAILABLE', 'Too many sessions at once, try again later'))
  })
  engine.on('connection', (conn) => void new EngineSession(conn, lobby))
}
