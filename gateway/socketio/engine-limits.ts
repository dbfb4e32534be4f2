/** Puts the bounds of a connection around everything that Engine.IO opens; see engine-session.ts. */
import { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { AppError } from '../../core/protocol/errors.ts'
import { FloodGate } from '../flood.ts'
import { malformedUpgrade, refuseRequest, refuseUpgrade } from '../http-refusal.ts'
import { GuardedServer } from '../websocket/socket-guard.ts'
import { type EngineJudge, type EngineRequest, refuseBadRequest } from './engine-refusals.ts'
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
    // Left alone, ws answers with a page of its own.
    this.on('wsClientError', (error, socket, request) => refuseUpgrade(request, socket, malformedUpgrade(error)))
  }
}

/** What of Engine.IO's server is replaced or used here; test/protocol/engine-io.test.ts fails if it changes. */
export interface Engine extends EngineJudge {
  clients: Record<string, EngineSocket>
  createTransport(name: string, request: unknown): object
  on(event: 'connection', listener: (conn: EngineSocket) => void): void
  use(middleware: (request: EngineRequest, response: ServerResponse | Upgrade, next: () => void) => void): void
}

/** The engine's own response to an upgrade, which cannot answer. */
type Upgrade = { socket: Duplex }

/** Bounds every session of an engine; `opening` counts the sessions by polling that it opens. */
export function limitEngine(engine: Engine, opening = new FloodGate(OPENING, performance.now())): void {
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
  engine.use((request, response, next) => {
    const isPolling = response instanceof ServerResponse
    if (refuseBadRequest(engine, request, isPolling ? { response } : { socket: response.socket })) return
    // As the engine sees it: an empty id is none.
    const isNew = isPolling && !request._query.sid
    if (!isNew || opening.admit(performance.now())) return next()
    refuseRequest(request, response, new AppError('SERVICE_UNAVAILABLE', 'Too many sessions at once, try again later'))
  })
  engine.on('connection', (conn) => void new EngineSession(conn, lobby))
}
