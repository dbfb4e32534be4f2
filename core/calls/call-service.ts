/**
 * The life of a call as the three processes drive it. Decides nothing in memory: the database's guarded updates pick one
 * winner among any number of processes, and whoever loses reads again and answers with the contract's code.
 */
import type { Registry } from 'prom-client'
import type { CallGroups } from '../platform/call-groups.ts'
import type { Config } from '../platform/config.ts'
import type { Logger } from '../platform/logger.ts'
import type { Database } from '../platform/postgres.ts'
import { AppError } from '../protocol/errors.ts'
import type { EndRequestReason } from '../protocol/http.ts'
import type { Occupancy } from '../protocol/occupancy.ts'
import { Announcements } from './announcements.ts'
import { type Call, isLive, roleOf } from './call.ts'
import { CallCreation } from './call-creation.ts'
import { CallDeadlines, type RoomView } from './call-deadlines.ts'
import { CallEnding, type LiveStatus, type OperatorOrder } from './call-ending.ts'
import { CallInitiation, type InitiateCommand, type Initiated } from './call-initiation.ts'
import { CallJournal } from './call-journal.ts'
import { CallMetrics } from './call-metrics.ts'
import { CallStore, type StoredCall } from './call-store.ts'
import { CallTransitions, type Change } from './call-transitions.ts'
import { withRetries } from './database-retry.ts'
import type { EventPublisher } from './group-events.ts'
import { type HistoryPage, type HistoryQuery, readHistory } from './history-store.ts'
import { type IdempotencyKey, IdempotencyStore } from './idempotency-store.ts'
import { Outbox } from './outbox.ts'
import { RingReceipts } from './ring-receipts.ts'
import { ringLimit } from './unanswered-rings.ts'

/** Lost races before a request gives up; each means that another request has just changed the very same calls. */
const ATTEMPTS = 5

export interface CallServiceDeps {
  db: Database
  config: Config['calls']
  groups: CallGroups
  events: EventPublisher
  rooms: RoomView
  log: Logger
  registry: Registry
}

export class CallService {
  /** What a worker does when limits have passed. */
  readonly deadlines: CallDeadlines
  /** Who is really rung, and what rings a user now. */
  readonly rings: RingReceipts
  /** Events on their way; a worker publishes what others left over. */
  readonly outbox: Outbox
  /** What explains a call afterwards. */
  readonly journal: CallJournal
  readonly #db: Database
  readonly #metrics: CallMetrics
  readonly #announcements: Announcements
  readonly #keys: IdempotencyStore
  readonly #store: CallStore
  readonly #transitions: CallTransitions
  readonly #initiation: CallInitiation
  readonly #ending: CallEnding

  constructor({ db, config, groups, events, rooms, log, registry }: CallServiceDeps) {
    this.#db = db
    this.#metrics = new CallMetrics(registry)
    this.journal = new CallJournal({ db, retentionMs: config.outboxRetentionMs, log, registry })
    this.#keys = new IdempotencyStore(config.idempotencyRetentionMs)
    this.#store = new CallStore(db, config)
    this.#transitions = new CallTransitions(db, config, this.#keys)
    this.outbox = new Outbox({
      db,
      events,
      groups,
      retentionMs: config.outboxRetentionMs,
      metrics: this.#metrics,
      log,
    })
    this.#announcements = new Announcements({ log, metrics: this.#metrics, outbox: this.outbox })
    const announce = this.#announcements
    this.deadlines = new CallDeadlines({
      store: this.#store,
      transitions: this.#transitions,
      rooms,
      onEnded: (from, change) => announce.transitioned(from, change),
    })
    const { deadlines, journal } = this
    const shared = { db, groups, store: this.#store, deadlines }
    this.#ending = new CallEnding({
      find: (callId) => this.require(callId),
      transitions: this.#transitions,
      deadlines,
      journal,
      onEnded: (from, change) => announce.transitioned(from, change),
    })
    this.rings = new RingReceipts({
      ...shared,
      config,
      onChanged: (change) => announce.ringStateChanged(change),
    })
    const creating = { db, keys: this.#keys, transitions: this.#transitions }
    this.#initiation = new CallInitiation({
      ...shared,
      ...creating,
      creation: new CallCreation({ ...creating, rings: ringLimit(config) }),
      onCreated: (change) => announce.created(change),
      onDeclined: (change) => this.#declined(change),
      onMerged: (change) => {
        this.#metrics.merged()
        this.#announcements.transitioned('connecting', change)
      },
    })
  }

  /**
   * What this key was answered with; undefined for a key that is new or forgotten.
   * @throws CONFLICT where the key was used with another body
   */
  async findReplay(key: IdempotencyKey): Promise<Omit<Initiated, 'replayed'> | undefined> {
    return this.#initiation.findReplay(key)
  }

  /**
   * Makes a call and rings the callee. Of several that want the same user exactly one succeeds. With `merge`, and where
   * the callee rings the caller, that call is answered instead.
   * @throws INVALID_REQUEST where users call themselves, RATE_LIMITED where too many rings went unanswered, USER_ALREADY_IN_CALL (naming the caller's own live call, if it
   *   is the caller who is in one), USER_NOT_AVAILABLE where the callee has set itself offline, CONFLICT where the
   *   idempotency key was used with another body
   */
  async initiate(command: InitiateCommand): Promise<Initiated> {
    if (command.callerId === command.calleeId)
      throw new AppError('INVALID_REQUEST', 'A user cannot call himself', { details: { field: 'callee_id' } })
    return this.#initiation.initiate(command)
  }

  /**
   * The callee accepts; the two are contacts from then on. Asking again from the device that has answered is harmless.
   * @throws CALL_NOT_FOUND, FORBIDDEN for anybody but the callee, CONFLICT where another device has answered, or one
   *   without a name (`details.answered_by_device`), CALL_ALREADY_ENDED
   */
  async answer(callId: string, userId: string, deviceId: string | undefined): Promise<Call> {
    for (let attempt = 1; ; attempt++) {
      const call = await this.require(callId)
      if (roleOf(call, userId) !== 'callee') throw new AppError('FORBIDDEN', 'Only the callee can answer a call')
      if (call.status === 'active') {
        if (deviceId !== undefined && deviceId === call.answeredByDevice) return call
        const details = { answered_by_device: call.answeredByDevice }
        throw new AppError('CONFLICT', 'The call was already answered', { details })
      }
      if (!isLive(call) || (await this.deadlines.settle(call))) throw new AppError('CALL_ALREADY_ENDED')
      const change = await withRetries(() => this.#transitions.answer(callId, deviceId), { repeatable: false })
      if (change !== undefined) return this.#announcements.transitioned('connecting', change)
      if (attempt >= ATTEMPTS) throw new AppError('CONFLICT')
    }
  }

  /**
   * A participant ends the call.
   * @throws CALL_NOT_FOUND, FORBIDDEN for strangers, CALL_ALREADY_ENDED, also where it was overdue, CONFLICT where it
   *   is live and not in the expected state
   */
  async end(callId: string, userId: string, reason: EndRequestReason, expectedStatus?: LiveStatus): Promise<Call> {
    return this.#ending.end(callId, userId, { reason, expectedStatus })
  }

  /** See {@link CallEnding.endByOperator}. */
  async endByOperator(callId: string, order: OperatorOrder): Promise<Call> {
    return this.#ending.endByOperator(callId, order)
  }

  /** An initiate of its callee has ended the call. */
  #declined(change: Change): void {
    const { id: callId } = this.#announcements.transitioned('connecting', change)
    this.journal.note({ callId, kind: 'end_requested', role: 'callee', detail: 'busy' })
  }

  /** The call as it is written; a transition that is due is not applied. */
  async find(callId: string): Promise<StoredCall | undefined> {
    return withRetries(() => this.#store.find(callId), { repeatable: true })
  }

  /** As {@link find}, for each id in order. */
  async findAll(callIds: string[]): Promise<(StoredCall | undefined)[]> {
    return withRetries(() => this.#store.findAll(callIds), { repeatable: true })
  }

  /** @throws CALL_NOT_FOUND */
  async require(callId: string): Promise<StoredCall> {
    const call = await this.find(callId)
    if (call === undefined) throw new AppError('CALL_NOT_FOUND')
    return call
  }

  /** The one live call of a user, after a transition that is due was applied. */
  async liveCallOf(userId: string): Promise<StoredCall | undefined> {
    const [call] = await withRetries(() => this.#store.findLiveOf([userId]), { repeatable: true })
    return call === undefined || (await this.deadlines.settle(call)) ? undefined : call
  }

  /** Those of the users who are in a live call, as it is written: none that is due is ended for it. */
  async busyAmong(userIds: string[]): Promise<Set<string>> {
    const calls = await withRetries(() => this.#store.findLiveOf(userIds), { repeatable: true })
    return new Set(calls.filter(({ overdue }) => !overdue).flatMap(({ callerId, calleeId }) => [callerId, calleeId]))
  }

  /** @throws INVALID_REQUEST for a cursor that is not one of ours */
  async history(userId: string, query: HistoryQuery): Promise<HistoryPage> {
    return withRetries(() => readHistory(this.#db, userId, query), { repeatable: true })
  }

  /** Whether the two have ever shared an answered call. */
  async shareContact(userId: string, otherUserId: string): Promise<boolean> {
    return withRetries(() => this.#store.shareContact(userId, otherUserId), { repeatable: true })
  }

  /**
   * Somebody has joined these rooms, or the last connected peers have gone: whichever limits run then. What is older than
   * what is written is passed over. No event, no new version; nothing if a call is over.
   */
  async noteOccupancy(facts: Occupancy[]): Promise<void> {
    await withRetries(() => this.#store.markOccupancy(facts), { repeatable: true })
  }

  /** Counts the calls that live, for the metrics. */
  async observeLive(): Promise<void> {
    this.#metrics.census.live(await withRetries(() => this.#store.countLive(), { repeatable: true }))
  }

  /** Waits for the events and notes that this process has caused. Call it before the stores are closed. */
  async close(): Promise<void> {
    await Promise.all([this.outbox.close(), this.journal.close()])
  }

  /** Removes up to `limit` idempotency keys that count as absent; returns how many. */
  async purgeIdempotencyKeys(limit: number): Promise<number> {
    return withRetries(() => this.#keys.purge(this.#db, limit), { repeatable: true })
  }
}
