/** All calls of a mock and their life: who may change which, and what follows from it (docs/call-lifecycle.md). */
import { randomUUID } from 'node:crypto'
import type { MockClock } from '../clock.ts'
import { MockError } from '../errors.ts'
import { type Call, type CallType, type EndReason, isLive, isParticipant } from './call.ts'

export interface CallLimits {
  ringMs: number
  setupMs: number
  lostPeersMs: number
  unreachableMs: number
  /** Calls of one caller to one callee that may go unanswered within {@link unansweredWindowMs}. */
  unansweredMax: number
  unansweredWindowMs: number
}

export interface CallEvents {
  /** A call rings, as from now. */
  onRinging(call: Call): void
  /** A call has another state, or another ring state. */
  onChanged(call: Call): void
}

interface Initiation {
  callerId: string
  calleeId: string
  type: CallType
  merge: boolean
  declineRinging: boolean
  deviceId: string | undefined
  /** The callee has set offline, or the caller may not see whether they are there. */
  calleeIsOffline: boolean
  calleeIsHidden: boolean
}

export class CallBook {
  readonly #clock: MockClock
  readonly #limits: CallLimits
  readonly #events: CallEvents
  readonly #calls = new Map<string, Call>()
  /** What ends a live call by itself. */
  readonly #deadlines = new Map<string, () => void>()

  constructor(clock: MockClock, limits: CallLimits, events: CallEvents) {
    this.#clock = clock
    this.#limits = limits
    this.#events = events
  }

  /** @throws CALL_NOT_FOUND */
  require(callId: string): Call {
    const call = this.#calls.get(callId.toLowerCase())
    if (call === undefined) throw new MockError('CALL_NOT_FOUND', 'Call session not found')
    return call
  }

  liveOf(userId: string): Call | undefined {
    return [...this.#calls.values()].find((call) => isLive(call) && isParticipant(call, userId))
  }

  /** Calls that are over, newest first. */
  historyOf(userId: string): Call[] {
    return [...this.#calls.values()].filter((call) => !isLive(call) && isParticipant(call, userId)).reverse()
  }

  /** Whether the two have ever shared an answered call. */
  areContacts(one: string, other: string): boolean {
    return [...this.#calls.values()].some(
      (call) => call.answeredAtMs !== undefined && isParticipant(call, one) && isParticipant(call, other),
    )
  }

  /** @throws USER_ALREADY_IN_CALL, USER_NOT_AVAILABLE, RATE_LIMITED */
  initiate(wanted: Initiation): { call: Call; merged: boolean } {
    const { callerId, calleeId, type } = wanted
    const [own, others] = [this.liveOf(callerId), this.liveOf(calleeId)]
    if (wanted.merge && own?.status === 'connecting' && own.callerId === calleeId)
      return { call: this.#setActive(own, wanted.deviceId), merged: true }
    const isDeclined = wanted.declineRinging && own?.status === 'connecting' && own.calleeId === callerId
    if (own !== undefined && !isDeclined)
      throw new MockError('USER_ALREADY_IN_CALL', 'User is already participating in an active call', {
        details: { call_id: own.id },
      })
    if (others !== undefined && others !== own)
      throw wanted.calleeIsHidden
        ? new MockError('USER_NOT_AVAILABLE', 'Target user is not available for calling')
        : new MockError('USER_ALREADY_IN_CALL', 'User is already participating in an active call')
    if (wanted.calleeIsOffline) throw new MockError('USER_NOT_AVAILABLE', 'Target user is not available for calling')
    this.#assertMayRing(callerId, calleeId)
    if (isDeclined && own !== undefined) this.#setOver(own, 'ended', 'busy')
    return { call: this.#create(callerId, calleeId, type), merged: false }
  }

  /** @throws FORBIDDEN, CONFLICT, CALL_ALREADY_ENDED */
  answer(call: Call, userId: string, deviceId: string | undefined): Call {
    if (call.calleeId !== userId) throw new MockError('FORBIDDEN', 'Only the callee answers a call')
    if (!isLive(call)) throw new MockError('CALL_ALREADY_ENDED', 'Cannot perform action on ended call')
    if (call.status === 'connecting') return this.#setActive(call, deviceId)
    if (deviceId !== undefined && deviceId === call.answeredByDevice) return call
    const details = { answered_by_device: call.answeredByDevice ?? null }
    throw new MockError('CONFLICT', 'The call was already answered', { details })
  }

  /** @throws CONFLICT, CALL_ALREADY_ENDED */
  end(call: Call, userId: string, reason: 'user_hangup' | 'connection_failed' | 'timeout', expected?: string): Call {
    if (!isLive(call)) throw new MockError('CALL_ALREADY_ENDED', 'Cannot perform action on ended call')
    if (expected !== undefined && expected !== call.status) {
      const details = { status: call.status, answered_by_device: call.answeredByDevice ?? null }
      throw new MockError('CONFLICT', `The call is ${call.status}, not ${expected}`, { details })
    }
    if (reason === 'connection_failed') return this.#setOver(call, 'failed', 'connection_failed')
    if (call.status === 'active') return this.#setOver(call, 'ended', reason === 'timeout' ? 'timeout' : 'hangup')
    if (reason === 'timeout') return this.#setOver(call, 'ended', 'no_answer')
    return this.#setOver(call, 'ended', call.callerId === userId ? 'canceled' : 'declined')
  }

  /** A device of the callee rings. @throws FORBIDDEN, CONFLICT, CALL_ALREADY_ENDED */
  confirmRinging(call: Call, userId: string): Call {
    if (call.calleeId !== userId) throw new MockError('FORBIDDEN', 'Only the callee of a call rings')
    if (call.status === 'active') throw new MockError('CONFLICT', 'The call was already answered')
    if (!isLive(call)) throw new MockError('CALL_ALREADY_ENDED', 'Cannot perform action on ended call')
    if (call.ringState !== 'ringing') this.#setRingState(call, 'ringing')
    return call
  }

  /** Nobody is in the room of an active call any more, or somebody is: the limit of lost peers runs, or does not. */
  watchPeers(call: Call, { areGone, haveBothJoined }: { areGone: boolean; haveBothJoined: boolean }): void {
    if (call.status !== 'active') return
    if (areGone) this.#deadline(call, this.#limits.lostPeersMs, () => this.#setOver(call, 'ended', 'peers_lost'))
    else if (haveBothJoined) this.#clearDeadline(call)
  }

  #assertMayRing(callerId: string, calleeId: string): void {
    const since = this.#clock.now() - this.#limits.unansweredWindowMs
    let count = 0
    for (const call of this.#calls.values()) {
      if (call.createdAtMs < since || !isParticipant(call, callerId) || !isParticipant(call, calleeId)) continue
      if (call.answeredAtMs !== undefined) count = 0
      else if (call.callerId === callerId) count += 1
    }
    if (count < this.#limits.unansweredMax) return
    const seconds = Math.ceil(this.#limits.unansweredWindowMs / 1000)
    throw new MockError('RATE_LIMITED', 'Too many calls to this user went unanswered', {
      headers: { 'Retry-After': String(seconds) },
    })
  }

  #create(callerId: string, calleeId: string, type: CallType): Call {
    const now = this.#clock.now()
    const call: Call = {
      id: randomUUID(),
      type,
      callerId,
      calleeId,
      status: 'connecting',
      version: 1,
      createdAtMs: now,
      expiresAtMs: now + this.#limits.ringMs,
    }
    this.#calls.set(call.id, call)
    this.#deadline(call, this.#limits.ringMs, () => this.#setOver(call, 'ended', 'no_answer'))
    this.#clock.after(this.#limits.unreachableMs, () => {
      if (call.status === 'connecting' && call.ringState === undefined) this.#setRingState(call, 'unreachable')
    })
    this.#events.onRinging(call)
    return call
  }

  #setRingState(call: Call, ringState: 'ringing' | 'unreachable'): void {
    call.ringState = ringState
    call.version += 1
    this.#events.onChanged(call)
  }

  #setActive(call: Call, deviceId: string | undefined): Call {
    call.status = 'active'
    call.version += 1
    call.answeredAtMs = this.#clock.now()
    if (deviceId !== undefined) call.answeredByDevice = deviceId
    this.#deadline(call, this.#limits.setupMs, () => this.#setOver(call, 'failed', 'setup_timeout'))
    this.#events.onChanged(call)
    return call
  }

  #setOver(call: Call, status: 'ended' | 'failed', reason: EndReason): Call {
    this.#clearDeadline(call)
    call.status = status
    call.version += 1
    call.endedAtMs = this.#clock.now()
    call.endReason = reason
    // The history is in the order of ends: the last entry of the map is the newest.
    this.#calls.delete(call.id)
    this.#calls.set(call.id, call)
    this.#events.onChanged(call)
    return call
  }

  #deadline(call: Call, ms: number, run: () => void): void {
    this.#clearDeadline(call)
    this.#deadlines.set(call.id, this.#clock.after(ms, run))
  }

  #clearDeadline(call: Call): void {
    this.#deadlines.get(call.id)?.()
    this.#deadlines.delete(call.id)
  }
}
