/** Decides whether a user's presence is visible to the caller: in the presence route, and where a refusal would reveal it. */
import type { CallService } from '../core/calls/call-service.ts'
import type { Identity } from '../core/platform/token-claims.ts'
import { isVisibleTo, type Presence } from '../core/presence/presence-service.ts'

/** Users see themselves, a `calls:manage` token sees everybody, others see what the user's `visibility` shows them. */
export async function maySee(
  presence: Presence,
  { userId, manages }: Identity,
  calls: Pick<CallService, 'shareContact'>,
): Promise<boolean> {
  if (manages || userId === presence.userId) return true
  return isVisibleTo(presence, () => calls.shareContact(presence.userId, userId))
}
