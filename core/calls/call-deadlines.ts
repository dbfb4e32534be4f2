/**
 * What happens to a call when a limit has passed (decisions, "Call state machine"). An unanswered ring ends by the clock
 * alone. An active call ends only where no peer is connected either: the rooms are asked each time, and where they
 * cannot be asked nobody's call ends. A peer that is found although the call says otherwise is written down instead.
 */
import { AppError } from '../protocol/errors.ts'
import type { CallStatus } from '../protocol/signaling.ts'
import type { Call } from './call.ts'
import { type CallEvent, nextState } from './call-state.ts'
import type { CallStore, StoredCall } from './call-store.ts'
import type { CallTransitions, Change, Ending, Pick as Picking } from './call-transitions.ts'
import { withRetries } from './database-retry.ts'
import type { GroupScope } from './group-scope.ts'

/** What calls need to know of rooms. Rejects while Redis is away. */
export interface RoomView {
  /** For each of these calls of one group whether any peer, of either side and on any node, is connected to its room. */
  hasConnectedPeer(callIds: string[], group: string | null): Promise<Map<string, boolean>>
}

interface Dependencies {
  store: CallStore
  transitions: CallTransitions
  rooms: RoomView
  /** Told of every call that was ended here, after the commit. */
  onEnded(from: CallStatus, change: Change): void
}

export class CallDeadlines {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /**
   * Applies the transition that is due to a call that was just read; true if the call is over now, by whomever.
   * An abandoned call stays if a peer is connected after all, or if Redis is away.
   */
  async settle(call: StoredCall): Promise<boolean> {
    if (!call.overdue) return false
    if (call.status === 'connecting') {
      const [ended] = await this.#finish('connecting', 'timeout', { id: call.id, due: true })
      return ended !== undefined || this.#isOver(call.id)
    }
    const connected = await this.#deps.rooms.hasConnectedPeer([call.id], call.group).catch(() => undefined)
    if (connected?.get(call.id) !== false) return false
    const ended = await this.#endAbandoned({ id: call.id })
    return ended > 0 || this.#isOver(call.id)
  }

  /** Ends up to `limit` calls that nobody has answered in time; returns how many. Several processes share the work. */
  async endUnanswered(limit: number): Promise<number> {
    return (await this.#finish('connecting', 'timeout', { limit, due: true })).length
  }

  /**
   * Judges up to `limit` active calls whose setup or lost-peers limit has passed; returns how many were settled, ended
   * or marked as joined. Call it only after unbroken contact with both stores: see the worker's contact.
   * @throws where the rooms cannot be asked
   */
  async judgeAbandoned(limit: number, scope?: GroupScope): Promise<number> {
    const { store, rooms } = this.#deps
    const suspects = await withRetries(() => store.findAbandoned(limit, scope), { repeatable: true })
    if (suspects.length === 0) return 0
    const connected = await rooms.hasConnectedPeer(
      suspects.map(({ id }) => id),
      scope?.name ?? null,
    )
    const present = suspects.filter(({ id }) => connected.get(id) === true)
    await this.#correct(present, true)
    const absent = suspects.map(({ id }) => id).filter((id) => connected.get(id) === false)
    const ended = absent.length > 0 ? await this.#endAbandoned({ ids: absent }) : 0
    return present.length + ended
  }

  /**
   * Compares one page of the active calls with the rooms and corrects `first_joined_at` and `peers_gone_since`: a
   * gateway may have died, or the database been away, before it could tell. Ends nothing by itself.
   * @returns the id to go on after, or undefined at the end
   * @throws where the rooms cannot be asked
   */
  async rollCall(afterId: string | undefined, limit: number, scope?: GroupScope): Promise<string | undefined> {
    const { store, rooms } = this.#deps
    const calls = await withRetries(() => store.findActive(afterId, limit, scope), { repeatable: true })
    if (calls.length === 0) return undefined
    const connected = await rooms.hasConnectedPeer(
      calls.map((call) => call.id),
      scope?.name ?? null,
    )
    const joined = calls.filter((call) => connected.get(call.id) === true && !isMarkedPresent(call))
    const gone = calls.filter((call) => connected.get(call.id) === false && isMarkedPresent(call))
    await this.#correct(joined, true)
    await this.#correct(gone, false)
    return calls.length < limit ? undefined : calls.at(-1)?.id
  }

  async #correct(calls: Pick<Call, 'id' | 'occupancyVersion'>[], isOccupied: boolean): Promise<void> {
    if (calls.length === 0) return
    const seen = calls.map(({ id, occupancyVersion }) => ({ callId: id, isOccupied, version: occupancyVersion }))
    await withRetries(() => this.#deps.store.correctOccupancy(seen), { repeatable: true })
  }

  async #endAbandoned(calls: { id: string } | { ids: string[] }): Promise<number> {
    const lost = await this.#finish('active', 'peers_lost', { ...calls, due: true, joined: true })
    const never = await this.#finish('active', 'setup_timeout', { ...calls, due: true, joined: false })
    return lost.length + never.length
  }

  async #finish(from: Ending['from'], event: CallEvent, pick: Picking): Promise<Change[]> {
    const ending = endingOf(from, event)
    // Repeating is safe: what the first attempt has ended is not due any more, and its events are in the outbox.
    const changes = await withRetries(() => this.#deps.transitions.finish(ending, pick), { repeatable: true })
    for (const change of changes) this.#deps.onEnded(from, change)
    return changes
  }

  async #isOver(callId: string): Promise<boolean> {
    const call = await withRetries(() => this.#deps.store.find(callId), { repeatable: true })
    return call === undefined || call.endedAt !== null
  }
}

function isMarkedPresent(call: Call): boolean {
  return call.firstJoinedAt !== null && call.peersGoneSince === null
}

/**
 * The arrow that ends a call, from the table of the state machine.
 * @throws CALL_ALREADY_ENDED where the table has none
 */
export function endingOf(from: CallStatus, event: CallEvent, role?: 'caller' | 'callee'): Ending {
  const outcome = nextState(from, event, role)
  if (from === 'ended' || from === 'failed' || outcome === undefined) throw new AppError('CALL_ALREADY_ENDED')
  if (outcome.to === 'connecting' || outcome.to === 'active' || outcome.reason === null)
    throw new Error(`The event ${event} ends no call`)
  return { from, to: outcome.to, reason: outcome.reason }
}
