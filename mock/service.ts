/** The parts of a mock that its doors share. */
import type { CallBook } from './calls/call-book.ts'
import type { PresenceBook } from './calls/presence-book.ts'
import type { MockClock } from './clock.ts'
import { MockError } from './errors.ts'
import type { View } from './http/answers.ts'
import type { MinuteLimit } from './limits.ts'
import type { Script } from './script.ts'
import type { Connections } from './sockets/connections.ts'
import type { Rooms } from './sockets/rooms.ts'
import type { Tickets } from './tickets.ts'
import { type Identity, verifyToken } from './tokens.ts'

export interface Service {
  secret: string
  clock: MockClock
  calls: CallBook
  presence: PresenceBook
  rooms: Rooms
  connections: Connections
  tickets: Tickets
  script: Script
  limits: { initiate: MinuteLimit; presence: MinuteLimit; history: MinuteLimit; ticket: MinuteLimit }
  iceServers: { urls: string[]; username?: string; credential?: string }[]
  /** Set once the port is known. */
  view(): View
}

/** The first credential that is not blank counts. @throws UNAUTHORIZED */
export function identify(service: Service, credentials: readonly (string | null | undefined)[]): Identity {
  const token = credentials.map((each) => each?.trim()).find((each) => each !== undefined && each !== '')
  return verifyToken(service.secret, service.clock, token)
}

/** Whether one user may see whether another one is there. */
export function maySee({ presence, calls }: Service, viewer: Identity, userId: string): boolean {
  if (viewer.userId === userId || viewer.isManager) return true
  const visibility = presence.visibilityOf(userId)
  return visibility === 'everyone' || (visibility === 'contacts' && calls.areContacts(viewer.userId, userId))
}

/** @throws FORBIDDEN where a token does not speak for a user */
export function assertSpeaksFor({ userId, isManager }: Identity, wanted: string): void {
  if (userId !== wanted && !isManager) throw new MockError('FORBIDDEN', 'The token does not speak for this user')
}
