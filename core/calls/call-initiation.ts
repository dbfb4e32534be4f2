/**
 * How a call begins, and what becomes of an initiate that somebody else was faster than: refused, answered again from its
 * key, or, where both users call each other and the later one asks for it, taken as the answer to the earlier call.
 */
import { randomUUID } from 'node:crypto'
import type { CallGroups } from '../platform/call-groups.ts'
import type { Database } from '../platform/postgres.ts'
import { AppError } from '../protocol/errors.ts'
import type { CallType } from '../protocol/signaling.ts'
import { asCreated, type Call, roleOf } from './call.ts'
import type { CallCreation, WantedCall } from './call-creation.ts'
import type { CallDeadlines } from './call-deadlines.ts'
import type { CallStore, StoredCall } from './call-store.ts'
import type { CallTransitions, Change } from './call-transitions.ts'
import { withRetries } from './database-retry.ts'
import { chooseGroup } from './group-choice.ts'
import type { IdempotencyKey, IdempotencyStore } from './idempotency-store.ts'

/** Lost races before an initiate gives up; each means that another request has just changed the very same calls. */
const ATTEMPTS = 5

export interface InitiateCommand {
  callerId: string
  calleeId: string
  type: CallType
  idempotency?: IdempotencyKey
  /** Set where an initiate that meets a call of its callee to its caller shall answer that call. */
  merge?: { deviceId: string | undefined }
  /** Declines, as busy, a call that rings the caller now, where the wanted one can be made. */
  declinesRinging?: boolean
  /** True once nobody waits for the answer any more: then no call may come of it. */
  isAbandoned?(): boolean
}

export interface Initiated {
  call: Call
  /** The call is the callee's, and this initiate has answered it. */
  merged: boolean
  /** An earlier request with the same key got this. */
  replayed: boolean
}

interface Dependencies {
  db: Database
  groups: CallGroups
  store: CallStore
  keys: IdempotencyStore
  transitions: CallTransitions
  creation: CallCreation
  deadlines: CallDeadlines
  onCreated(change: Change): void
  onDeclined(change: Change): void
  onMerged(change: Change): void
}

export class CallInitiation {
  readonly #deps: Dependencies
  /** Names of the groups that take new calls. */
  readonly #open: string[]

  constructor(deps: Dependencies) {
    this.#deps = deps
    this.#open = deps.groups.all.flatMap(({ name, isOpen }) => (isOpen ? [name] : []))
  }

  /**
   * What this key was answered with; a call that it has made is as it was when it was created. Undefined for a key that
   * is new or forgotten.
   * @throws CONFLICT where the key was used with another body
   */
  async findReplay(key: IdempotencyKey): Promise<Omit<Initiated, 'replayed'> | undefined> {
    return withRetries(
      async () => {
        const kept = await this.#deps.keys.find(this.#deps.db, key)
        const call = kept === undefined ? undefined : await this.#deps.store.find(kept.callId)
        if (kept === undefined || call === undefined) return undefined
        return { call: kept.merged ? call : asCreated(call), merged: kept.merged }
      },
      { repeatable: true },
    )
  }

  /** See {@link CallService.initiate}. */
  async initiate(command: InitiateCommand): Promise<Initiated> {
    const { callerId, calleeId, idempotency } = command
    const id = randomUUID()
    const group = chooseGroup(id, this.#open)
    const wanted: WantedCall = { ...command, merges: command.merge !== undefined, id, group }
    let blockers: StoredCall[] = []
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      // Repeating is safe: if the first attempt was committed after all, the second finds its id below.
      const creation = await withRetries(() => this.#deps.creation.create(wanted), { repeatable: true })
      if (creation.kind === 'created') {
        if (creation.declined !== undefined) this.#deps.onDeclined(creation.declined)
        this.#deps.onCreated(creation.change)
        return { call: creation.change.call, merged: false, replayed: false }
      }
      if (creation.kind === 'lost') continue
      if (creation.kind === 'offline') throw new AppError('USER_NOT_AVAILABLE')
      if (creation.kind === 'known' && idempotency !== undefined) {
        const kept = await this.findReplay(idempotency)
        if (kept !== undefined) return { ...kept, replayed: kept.call.id !== wanted.id }
        continue
      }
      blockers = await this.#findLiveOf([callerId, calleeId])
      const own = blockers.find((call) => call.id === wanted.id)
      if (own !== undefined) return { call: own, merged: false, replayed: false }
      const merging = await this.#tryMerge(command, blockers)
      if (merging === 'lost') continue
      if (merging !== undefined) return merging
      const freed = await Promise.all(blockers.map((call) => this.#deps.deadlines.settle(call)))
      if (freed.includes(false)) break
    }
    // A ringing call that this request would decline does not block it.
    const stands = (call: Call) =>
      !(command.declinesRinging && call.status === 'connecting' && call.calleeId === callerId)
    const callersOwn = blockers.find((call) => roleOf(call, callerId) !== undefined && stands(call))
    throw new AppError('USER_ALREADY_IN_CALL', undefined, {
      details: callersOwn === undefined ? undefined : { call_id: callersOwn.id },
    })
  }

  /** Undefined where there is nothing to merge with; `lost` where somebody else has just changed that call. */
  async #tryMerge(
    { callerId, calleeId, merge, idempotency }: InitiateCommand,
    blockers: StoredCall[],
  ): Promise<Initiated | 'lost' | undefined> {
    const earlier = blockers.find((call) => call.callerId === calleeId && call.calleeId === callerId)
    if (merge === undefined || earlier === undefined || earlier.overdue) return undefined
    const { deviceId } = merge
    if (earlier.status === 'active') {
      // The same initiate once more, whose 200 was lost: as harmless as an answer from the device that has answered.
      if (deviceId === undefined || deviceId !== earlier.answeredByDevice) return undefined
      // A twin that began before the first one had claimed their key finds the merge before it finds the key.
      const kept = idempotency === undefined ? undefined : await this.findReplay(idempotency)
      return { call: earlier, merged: true, replayed: kept?.call.id === earlier.id }
    }
    const merging = await withRetries(() => this.#deps.transitions.merge(earlier.id, deviceId, idempotency), {
      repeatable: false,
    })
    if (merging.kind !== 'merged') return 'lost'
    this.#deps.onMerged(merging.change)
    return { call: merging.change.call, merged: true, replayed: false }
  }

  #findLiveOf(userIds: string[]): Promise<StoredCall[]> {
    return withRetries(() => this.#deps.store.findLiveOf(userIds), { repeatable: true })
  }
}
