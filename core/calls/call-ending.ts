/** How a participant, or an operator, ends a call: tried again where somebody else has just changed it. */
import { AppError } from '../protocol/errors.ts'
import type { EndRequestReason } from '../protocol/http.ts'
import type { CallStatus, ParticipantRole } from '../protocol/signaling.ts'
import { type Call, isLive, roleOf } from './call.ts'
import { type CallDeadlines, endingOf } from './call-deadlines.ts'
import type { CallJournal } from './call-journal.ts'
import type { StoredCall } from './call-store.ts'
import type { CallTransitions, Change } from './call-transitions.ts'
import { withRetries } from './database-retry.ts'

/** Lost races before a request gives up; each means that another request has just changed the very same call. */
const ATTEMPTS = 5

export type LiveStatus = 'connecting' | 'active'

export interface EndWish {
  reason: EndRequestReason
  /** The state that the wish is about: a decline must not end the call that another device has just answered. */
  expectedStatus?: LiveStatus
}

/** `role` is the one in whose name the operator hangs up, and matters for `user_hangup` alone. */
export interface OperatorOrder {
  reason: EndRequestReason
  role: ParticipantRole
  note?: string
}

interface Dependencies {
  /** @throws CALL_NOT_FOUND */
  find(callId: string): Promise<StoredCall>
  transitions: CallTransitions
  deadlines: CallDeadlines
  journal: CallJournal
  /** Returns the call, as it is now. */
  onEnded(from: CallStatus, change: Change): Call
}

export class CallEnding {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** See {@link CallService.end}. */
  async end(callId: string, userId: string, wish: EndWish): Promise<Call> {
    const asked = await this.#end(callId, wish, (call) => {
      const role = roleOf(call, userId)
      if (role === undefined) throw new AppError('FORBIDDEN', 'Only participants can end a call')
      return role
    })
    this.#deps.journal.note({ callId, kind: 'end_requested', role: asked.role, detail: wish.reason })
    return asked.call
  }

  /**
   * An operator ends the call, by the transition that a participant's wish would cause. Their note is kept in the journal.
   * @throws CALL_NOT_FOUND, CALL_ALREADY_ENDED, also where it was overdue
   */
  async endByOperator(callId: string, { reason, role, note }: OperatorOrder): Promise<Call> {
    const { call } = await this.#end(callId, { reason }, () => role)
    this.#deps.journal.note({ callId, kind: 'operator', detail: note })
    return call
  }

  async #end(
    callId: string,
    { reason, expectedStatus }: EndWish,
    actingAs: (call: Call) => ParticipantRole,
  ): Promise<{ call: Call; role: ParticipantRole }> {
    const { transitions, deadlines, onEnded } = this.#deps
    for (let attempt = 1; ; attempt++) {
      const call = await this.#deps.find(callId)
      const role = actingAs(call)
      if (!isLive(call) || (await deadlines.settle(call))) throw new AppError('CALL_ALREADY_ENDED')
      if (expectedStatus !== undefined && call.status !== expectedStatus) throw elsewhere(call, expectedStatus)
      const ending = endingOf(call.status, reason, role)
      const [change] = await withRetries(() => transitions.finish(ending, { id: callId, due: false }), {
        repeatable: false,
      })
      if (change !== undefined) return { call: onEnded(call.status, change), role }
      if (attempt >= ATTEMPTS) throw new AppError('CONFLICT')
    }
  }
}

function elsewhere({ status, answeredByDevice }: Call, expected: string): AppError {
  return new AppError('CONFLICT', `The call is ${status}, not ${expected}`, {
    details: { status, ...(status === 'active' ? { answered_by_device: answeredByDevice } : {}) },
  })
}
