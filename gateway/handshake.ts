/**
 * Who may connect, and to what. The checks run in the order of the decisions ("Authentication and ownership"):
 * token, ids, call, participant, state, and the number of connections last.
 */
import { randomBytes } from 'node:crypto'
import { isAllowedOrigin } from '../core/platform/allowed-origins.ts'
import type { CallGroups } from '../core/platform/call-groups.ts'
import { deviceOf, readDeviceId } from '../core/platform/devices.ts'
import type { Logger } from '../core/platform/logger.ts'
import { isTicket, type SocketTickets } from '../core/platform/socket-tickets.ts'
import type { Identity } from '../core/platform/token-claims.ts'
import type { Aside, TokenVerifier } from '../core/platform/tokens.ts'
import type { ConnectionRecord, Connections } from '../core/presence/connections.ts'
import { AppError } from '../core/protocol/errors.ts'
import { parseUuid } from '../core/protocol/ids.ts'
import { AdmissionGate, type GateCounts } from './admission-gate.ts'
import { assertCallHere, assertChannelsHere, Elsewhere } from './elsewhere.ts'
import type { GatewayMetrics } from './gateway-metrics.ts'
import { inTime } from './handshake-deadline.ts'
import type { KnownCalls } from './known-calls.ts'
import type { LocalCall } from './local-call.ts'

export interface HandshakeRequest {
  /** A token or a ticket. */
  credential: string | undefined
  /** Undefined asks for a user channel. */
  callId: string | undefined
  /** The device where the token does not name one (additive `device_id` of the handshake). */
  device: string | undefined
  origin: string | undefined
  /** Whether the client is known to have gone: then nothing needs to be checked any more. */
  hasLeft(): boolean
}

/** A connection that may be opened; it counts until it is given back. */
export interface Admission {
  identity: Identity
  connectionId: string
  device: string
  call: LocalCall | undefined
}

interface HandshakeDeps {
  nodeId: string
  tokens: TokenVerifier
  tickets: SocketTickets
  calls: KnownCalls
  connections: Connections
  limits: { callConnectionsPerUser: number; userChannelsPerUser: number; handshakesAtOnce: number }
  corsOrigins: string[]
  groups: CallGroups
  draining(): boolean
  metrics: Pick<GatewayMetrics, 'handshakeSeconds'>
  log: Logger
}

/** Advice where another node, or a store that is back, will help: spread, so that a crowd does not come back as one. */
const ADVICE_MS = { least: 250, spread: 1750 }

/** Pauses before a connection is counted out again: from the first to the longest, doubling. */
const COUNT_OUT_AGAIN_MS = 250
const COUNT_OUT_AGAIN_MAX_MS = 2000

export class Handshakes {
  readonly #deps: HandshakeDeps
  #opened = 0
  /** Tells the connections of this process from those of all others. */
  readonly #process = randomBytes(6).toString('hex')
  readonly #gate: AdmissionGate
  /** Redis left a handshake without an answer; whether another one asks it now. */
  #isSilent = false
  #isProbing = false

  constructor(deps: HandshakeDeps) {
    this.#deps = deps
    this.#gate = new AdmissionGate(deps.limits.handshakesAtOnce)
  }

  /** Handshakes under way and waiting, for the metrics. */
  get counts(): GateCounts {
    return this.#gate.counts
  }

  /** What a client is told that this node has no time to check. */
  refusal(): AppError {
    return this.#gate.sendAway()
  }

  /**
   * Checks a handshake and counts the connection in.
   * @throws UNAUTHORIZED, FORBIDDEN, INVALID_REQUEST, CALL_NOT_FOUND, CALL_ALREADY_ENDED, RATE_LIMITED, and
   * SERVICE_UNAVAILABLE while this node drains or the stores that must answer are away.
   */
  async admit(request: HandshakeRequest): Promise<Admission> {
    if (this.#deps.draining())
      throw advised(new AppError('SERVICE_UNAVAILABLE', 'This node is restarting, connect again'))
    const { handshakeSeconds } = this.#deps.metrics
    const startedAt = performance.now()
    const tookSeconds = () => (performance.now() - startedAt) / 1000
    try {
      const admission = await inTime(
        (isLate) => {
          const hasLeft = () => isLate() || request.hasLeft()
          return this.#gate.pass((aside) => this.#check({ ...request, hasLeft }, aside))
        },
        (late) => this.giveBack(late),
      )
      handshakeSeconds.observe(tookSeconds(), 'admitted')
      return admission
    } catch (error) {
      handshakeSeconds.observe(tookSeconds(), 'refused')
      throw advised(error)
    }
  }

  async #check(request: HandshakeRequest, aside: Aside): Promise<Admission> {
    if (request.hasLeft()) throw new AppError('SERVICE_UNAVAILABLE', 'The client has gone')
    const { credential } = request
    const { identity, putBack } = isTicket(credential)
      ? await this.#deps.tickets.redeem(credential)
      : { identity: await this.#deps.tokens.verify(credential, aside), putBack: undefined }
    this.#checkOrigin(request.origin)
    const call = await this.#findTarget(request.callId, identity).catch(async (error: unknown) => {
      // The handshake goes on in the right group, which redeems the ticket itself.
      if (error instanceof Elsewhere) await putBack?.()
      throw error
    })
    const device = deviceOf(identity, readDeviceId(request.device)) ?? ''
    this.#opened += 1
    const connectionId = `${this.#opened.toString(36)}${this.#process}`
    const admission = { identity, connectionId, device, call }
    await this.#countIn(admission)
    return admission
  }

  /** A browser names its page's origin; other clients send none. */
  #checkOrigin(origin: string | undefined): void {
    const { corsOrigins } = this.#deps
    if (origin === undefined || isAllowedOrigin(corsOrigins, origin)) return
    throw new AppError('FORBIDDEN', 'Connections from this origin are not allowed')
  }

  /** The call; undefined for a user channel. */
  async #findTarget(id: string | undefined, identity: Identity): Promise<LocalCall | undefined> {
    if (id === undefined) return assertChannelsHere(this.#deps.groups)
    const callId = parseUuid(id)
    if (callId === undefined)
      throw new AppError('INVALID_REQUEST', 'call_id must be a UUID', { details: { field: 'call_id' } })
    const call = await this.#deps.calls.find(callId)
    if (call === undefined) throw new AppError('CALL_NOT_FOUND')
    if (call.sideOf(identity.userId) === undefined)
      throw new AppError('FORBIDDEN', 'Only the participants of a call may connect to it')
    assertCallHere(this.#deps.groups, call)
    if (call.over) throw new AppError('CALL_ALREADY_ENDED')
    return call
  }

  async #countIn(admission: Admission): Promise<void> {
    const { connections, nodeId, limits } = this.#deps
    const record = recordOf(admission)
    const limit = record.kind === 'call' ? limits.callConnectionsPerUser : limits.userChannelsPerUser
    // While Redis does not answer one handshake at a time finds out whether it does again. Each of them leaves a record
    // behind that must be counted out, so there must not be a crowd of them.
    if (this.#isSilent && this.#isProbing) throw uncounted()
    this.#isProbing = true
    const taken = await connections.add(record, nodeId, limit).then(
      (reply) => {
        this.#isSilent = false
        return reply
      },
      (error: unknown) => {
        this.#isSilent = true
        this.#isProbing = false
        // The reply may be lost, or late, not the record.
        void this.#countOut(record)
        throw uncounted(error)
      },
    )
    if (!taken)
      throw new AppError('RATE_LIMITED', `A user may have ${limit} connections of this kind at once`, {
        details: { limit },
      })
  }

  /**
   * Counts a connection out again, as often as it takes: while this node lives, what it does not count out stands in
   * the way of the user's next connection.
   */
  giveBack(admission: Admission): void {
    void this.#countOut(recordOf(admission))
  }

  async #countOut(record: ConnectionRecord): Promise<void> {
    for (let pause = COUNT_OUT_AGAIN_MS; ; pause = Math.min(pause * 2, COUNT_OUT_AGAIN_MAX_MS)) {
      try {
        return await this.#deps.connections.remove(record)
      } catch (error) {
        this.#deps.log.debug({ err: (error as Error).message }, 'connection not counted out yet')
        await new Promise((resolve) => setTimeout(resolve, pause).unref())
      }
    }
  }
}

function uncounted(cause?: unknown): AppError {
  return new AppError('SERVICE_UNAVAILABLE', 'Connections cannot be counted right now', { cause })
}

/** A client that waiting helps is told how long, in every 503. */
function advised(error: unknown): unknown {
  if (!(error instanceof AppError) || error.code !== 'SERVICE_UNAVAILABLE') return error
  if (error.details?.retry_after_ms !== undefined) return error
  const details = { ...error.details, retry_after_ms: ADVICE_MS.least + Math.floor(Math.random() * ADVICE_MS.spread) }
  return new AppError('SERVICE_UNAVAILABLE', error.message, { cause: error.cause, details })
}

function recordOf({ identity, connectionId, device, call }: Admission): ConnectionRecord {
  return {
    userId: identity.userId,
    connectionId,
    kind: call === undefined ? 'user' : 'call',
    callId: call?.id ?? '',
    device,
  }
}
