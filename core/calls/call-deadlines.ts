/**
 * What happens to a call when a limit has passed (decisions, "Call state machine"). An unanswered ring ends by the clock
 * alone. Before an active call ends its room is asked, and where that cannot be asked nobody's call ends: the call goes
 * on where a peer is connected and both have joined. What is found and the call does not say is written down.
 */
import { AppError } from '../protocol/errors.ts'
import { BOTH_JOINED, type SeenRoom } from '../protocol/occupancy.ts'
import type { CallStatus } from '../protocol/signaling.ts'
import type { Call } from './call.ts'
import { type CallEvent, nextState } from './call-state.ts'
import type { CallStore, StoredCall } from './call-store.ts'
import type { CallTransitions, Change, Ending, Pick as Picking } from './call-transitions.ts'
import { withRetries } from './database-retry.ts'
import type { GroupScope } from './group-scope.ts'

/** What calls need to know of rooms. Rejects while Redis is away. */
export interface RoomView {
  /** What the rooms of these calls of one group tell, on whatever nodes their peers are. */
  look(callIds: string[], group: string | null): Promise<Map<string, SeenRoom>>
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
   * An abandoned call stays if both have joined and one is connected after all, or if Redis is away.
   */
  async settle(call: StoredCall): Promise<boolean> {
    if (!call.overdue) return false
    if (call.status === 'connecting') {
      const [ended] = await this.#finish('connecting', 'timeout', { id: call.id, due: true })
      return ended !== undefined || this.#isOver(call.id)
    }
    const seen = (await this.#deps.rooms.look([call.id], call.group).catch(() => undefined))?.get(call.id)
    if (seen === undefined || goesOn(call, seen)) return false
    // Somebody joined and nobody has told yet: another limit may run.
    if (hasNews(call, seen)) await this.#correct([call], new Map([[call.id, seen]]))
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
    const seen = await rooms.look(
      suspects.map(({ id }) => id),
      scope?.name ?? null,
    )
    const news = suspects.filter((call) => hasNews(call, seen.get(call.id)))
    await this.#correct(news, seen)
    // What was just written down may have given a call another limit: only what is due still ends.
    const ids = suspects.filter((call) => seen.has(call.id) && !goesOn(call, seen.get(call.id))).map(({ id }) => id)
    const ended = ids.length > 0 ? await this.#endAbandoned({ ids }) : 0
    return news.length + ended
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
    const seen = await rooms.look(
      calls.map((call) => call.id),
      scope?.name ?? null,
    )
    const news = calls.filter((call) => {
      const room = seen.get(call.id)
      return hasNews(call, room) || (room?.isOccupied === false && isMarkedPresent(call))
    })
    await this.#correct(news, seen)
    return calls.length < limit ? undefined : calls.at(-1)?.id
  }

  async #correct(calls: Pick<Call, 'id' | 'occupancyVersion'>[], seen: ReadonlyMap<string, SeenRoom>): Promise<void> {
    const facts = calls.flatMap(({ id, occupancyVersion }) => {
      const room = seen.get(id)
      return room === undefined ? [] : [{ callId: id, version: occupancyVersion, ...room }]
    })
    if (facts.length > 0) await withRetries(() => this.#deps.store.correctOccupancy(facts), { repeatable: true })
  }

  async #endAbandoned(calls: { id: string } | { ids: string[] }): Promise<number> {
    const lost = await this.#finish('active', 'peers_lost', { ...calls, due: true, peersLost: true })
    const never = await this.#finish('active', 'setup_timeout', { ...calls, due: true, peersLost: false })
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

/** A peer is connected, and both have joined at some time: no limit of an active call runs. */
function goesOn(call: Call, seen: SeenRoom | undefined): boolean {
  return seen?.isOccupied === true && ((call.joinedSides | seen.joined) & BOTH_JOINED) === BOTH_JOINED
}

/** The room has somebody, or has had, whom the call does not know. */
function hasNews(call: Call, seen: SeenRoom | undefined): boolean {
  if (seen === undefined) return false
  return (seen.isOccupied && !isMarkedPresent(call)) || (seen.joined & ~call.joinedSides) !== 0
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
