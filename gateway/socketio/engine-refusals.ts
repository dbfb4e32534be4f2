/**
 * What Engine.IO refuses by itself, in the contract's envelope and before anything is opened. The engine would answer an
 * upgrade in plain text, and write the HTTP answer to another protocol version into the WebSocket that it has just opened.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { AppError } from '../../core/protocol/errors.ts'
import { refuseRequest, refuseUpgrade } from '../http-refusal.ts'

export type EngineRequest = IncomingMessage & { _query: Record<string, string> }

/** Engine.IO protocol v4; `message` is what its own clients know. */
const FAULTS = [
  'Transport unknown',
  'Session ID unknown',
  'Bad handshake method',
  'Bad request',
  'Forbidden',
  'Unsupported protocol version',
]
const BAD_REQUEST = 3
const OTHER_VERSION = 5

/** What of Engine.IO's server judges a request. */
export interface EngineJudge {
  verify(request: EngineRequest, isUpgrade: boolean, done: (code?: number) => void): void
}

/** Answers what the engine would refuse, with the engine's own `code` and `message` beside the envelope; false for the rest. */
export function refuseBadRequest(
  engine: EngineJudge,
  request: EngineRequest,
  to: { response: ServerResponse } | { socket: Duplex },
): boolean {
  const isUpgrade = 'socket' in to
  const code = faultOf(engine, request, isUpgrade)
  if (code === undefined) return false
  const message = FAULTS[code] ?? 'Bad request'
  const error = new AppError('INVALID_REQUEST', message)
  if (isUpgrade) refuseUpgrade(request, to.socket, error, { code, message })
  else refuseRequest(request, to.response, error, { code, message })
  return true
}

/** Engine.IO's number of what is wrong. */
function faultOf(engine: EngineJudge, request: EngineRequest, isUpgrade: boolean): number | undefined {
  let fault: number | undefined
  engine.verify(request, isUpgrade, (code) => {
    fault = code
  })
  const { EIO, sid, transport } = request._query
  if (fault !== undefined) return fault
  if (!sid && EIO !== '4') return OTHER_VERSION
  return isUpgrade && transport !== 'websocket' ? BAD_REQUEST : undefined
}
