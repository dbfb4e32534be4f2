/** What was asked for lives in another group, and where that is. */
import { signalingUrl } from '../core/calls/call.ts'
import { type CallGroups, groupNamed } from '../core/platform/call-groups.ts'
import { AppError } from '../core/protocol/errors.ts'
import type { LocalCall } from './local-call.ts'

/** 421: this server is not the one for that (RFC 9110 section 15.5.20). */
const MISDIRECTED = 421

export class Elsewhere extends AppError {
  /** The public origin of the right group. */
  readonly origin: string

  constructor(origin: string, message: string, details: Record<string, string>) {
    super('INVALID_REQUEST', message, { status: MISDIRECTED, details })
    this.origin = origin
  }
}

/** User channels are in the first group: whoever changes a call tells that one, beside the call's own. @throws Elsewhere */
export function assertChannelsHere({ own, first }: CallGroups): undefined {
  if (own === first) return undefined
  const url = `${first.publicUrl.replace(/^http/, 'ws')}/ws/events`
  throw new Elsewhere(first.publicUrl, 'User channels are open at another origin', { events_url: url })
}

/** A call lives in one group, and its `signaling_url` leads there. @throws Elsewhere */
export function assertCallHere(groups: CallGroups, { id, group }: Pick<LocalCall, 'id' | 'group'>): void {
  if (group === undefined || groupNamed(groups, group) === groups.own) return
  throw new Elsewhere(
    groupNamed(groups, group).publicUrl,
    'The call lives at another origin: connect to its signaling_url',
    { signaling_url: signalingUrl(groups, { id, group }) },
  )
}
