/**
 * Finds the call of a handshake: among those with a connection here, among those read a moment ago, in Postgres, and
 * while that is away in what the room says of its call. A call is read once for the handshakes that come together, and
 * kept for those that follow: both peers of a call, and a peer that comes back, come to the same node as a rule. The
 * calls of a crowd that comes from a lost node are read together: a query for each took a fifth of a gateway's time
 * there.
 */
import type { Call } from '../core/calls/call.ts'
import { GroupCommit } from '../core/platform/group-commit.ts'
import type { Logger } from '../core/platform/logger.ts'
import { AppError } from '../core/protocol/errors.ts'
import type { CallStatusMessage } from '../core/protocol/signaling.ts'
import type { RoomStore } from '../core/rooms/room-store.ts'
import { LocalCall } from './local-call.ts'
import type { PeerRegistry } from './peer-registry.ts'

/** What is kept is told of every change as calls with connections are; the limits bound memory alone. */
const KEEP_MS = 60_000
const KEPT_MAX = 20_000
/** Calls read by one query. */
const READ_AT_ONCE_MAX = 256
/** Between two queries: nothing for a crowd that waits for a second, and a few calls more in each of them. */
const READ_SPACING_MS = 20
/** Queries under way at once: one that hangs must not hold up every handshake of an unknown call. */
const READS_ABREAST = 4
/** A Postgres that has said nothing for so long counts as away: the room is asked, and the client still waits for us. */
const READ_WAIT_MS = 3_000

interface Kept {
  call: LocalCall
  readAt: number
}

interface KnownCallsDeps {
  registry: PeerRegistry
  calls: { findAll(callIds: string[]): Promise<(Call | undefined)[]> }
  store: RoomStore
  log: Logger
}

export class KnownCalls {
  readonly #deps: KnownCallsDeps
  /** Oldest first. */
  readonly #kept = new Map<string, Kept>()
  readonly #reading = new Map<string, Promise<LocalCall | undefined>>()
  readonly #queries: GroupCommit<string, Call | undefined>
  /** Rises when events may have passed by: what was read before is not kept. */
  #generation = 0

  constructor(deps: KnownCallsDeps) {
    this.#deps = deps
    this.#queries = new GroupCommit(READ_AT_ONCE_MAX, (callIds) => deps.calls.findAll(callIds), {
      spacingMs: READ_SPACING_MS,
      abreast: READS_ABREAST,
    })
  }

  /** The call, or undefined where there is none. @throws where neither Postgres nor the room can be asked */
  async find(callId: string): Promise<LocalCall | undefined> {
    const connected = this.#deps.registry.calls.get(callId)
    if (connected !== undefined) return connected
    const kept = this.#kept.get(callId)
    if (kept !== undefined && performance.now() - kept.readAt <= KEEP_MS) return kept.call
    const underWay = this.#reading.get(callId)
    if (underWay !== undefined) return underWay
    const reading = this.#read(callId).finally(() => this.#reading.delete(callId))
    this.#reading.set(callId, reading)
    return reading
  }

  async #read(callId: string): Promise<LocalCall | undefined> {
    const { registry } = this.#deps
    const generation = this.#generation
    let found: Call | undefined
    try {
      found = await answered(this.#queries.add(callId))
    } catch (error) {
      return this.#askRoom(callId, error)
    }
    if (found === undefined) return undefined
    // What was read may be older than what passed by meanwhile.
    const call = registry.adopt(new LocalCall(found))
    if (generation === this.#generation) this.#keep(call)
    return call
  }

  async #askRoom(callId: string, error: unknown): Promise<LocalCall> {
    const { store, registry, log } = this.#deps
    const facts = await store.facts(callId).catch(() => undefined)
    if (facts === undefined) throw error
    log.info({ callId }, 'call read from its room, postgres being away')
    return registry.adopt(new LocalCall(facts))
  }

  #keep(call: LocalCall): void {
    const now = performance.now()
    this.#kept.delete(call.id)
    this.#kept.set(call.id, { call, readAt: now })
    for (const [id, { readAt }] of this.#kept) {
      if (this.#kept.size <= KEPT_MAX && now - readAt <= KEEP_MS) break
      this.#kept.delete(id)
    }
  }

  /** Takes a change of a call that nobody may be connected to. */
  update(status: CallStatusMessage): void {
    this.#kept.get(status.call_id)?.call.update(status)
  }

  /** Changes may have passed by: nothing that was read before is trusted any more. */
  forget(): void {
    this.#generation += 1
    this.#kept.clear()
  }
}

/** @throws SERVICE_UNAVAILABLE where no answer comes in time; the query goes on, and its result is not used */
async function answered<T>(reading: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const silent = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new AppError('SERVICE_UNAVAILABLE')), READ_WAIT_MS)
  })
  try {
    return await Promise.race([reading, silent])
  } finally {
    clearTimeout(timer)
  }
}
