/** Puts the bounds of a connection around everything that Engine.IO opens; see engine-session.ts. */
import { GuardedServer } from '../websocket/socket-guard.ts'
import { EngineSession, type EngineSocket, helloRules, sessionOf } from './engine-session.ts'
import { Lobby } from './lobby.ts'
import { limitPolling, type PollingTransport } from './polling-limits.ts'

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
}

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
  engine.on('connection', (conn) => void new EngineSession(conn, lobby))
}
