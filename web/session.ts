/** Who is signed in at this window. Kept for the window alone, so that two windows can be two people. */
import type { DemoSignInResponse } from '../core/protocol/http.ts'

export interface Session {
  userId: string
  name: string
  token: string
  /** In milliseconds since 1970. */
  expiresAt: number
  /** The origin of the calls' sockets; it may have another name than this page's own. */
  signalingOrigin: string
}

const KEY = 'tchat-calling-session'
/** A token with less than this left is exchanged for a new one. */
const SPARE_MS = 300_000

export function sessionOf(answer: DemoSignInResponse): Session {
  return {
    userId: answer.user_id,
    name: answer.name,
    token: answer.token,
    expiresAt: Date.parse(answer.expires_at),
    signalingOrigin: answer.signaling_origin,
  }
}

/** The kept session, unless its token is about to end. */
export function loadSession(storage: Pick<Storage, 'getItem'>, now: number): Session | undefined {
  try {
    const session = JSON.parse(storage.getItem(KEY) ?? '') as Session
    return isFresh(session, now) ? session : undefined
  } catch {
    return undefined
  }
}

export function saveSession(storage: Pick<Storage, 'setItem'>, session: Session): void {
  storage.setItem(KEY, JSON.stringify(session))
}

export function forgetSession(storage: Pick<Storage, 'removeItem'>): void {
  storage.removeItem(KEY)
}

/** Whether the token is good for some time yet. */
export function isFresh({ expiresAt }: Pick<Session, 'expiresAt'>, now: number): boolean {
  return expiresAt - now > SPARE_MS
}
