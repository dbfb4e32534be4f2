/** What the guards of a request have found out, for the guards and the handler after them, and for its log line. */
import type { Request } from 'express'
import type { Identity } from '../core/platform/token-claims.ts'
import { AppError, type ErrorCode } from '../core/protocol/errors.ts'

export interface RequestContext {
  requestId: string
  /** Whom the token speaks for; undefined before `authenticate` and on public routes. */
  identity?: Identity
  /** Names the call in the log line. */
  callId?: string
  /** The body's bytes; undefined where the request has none. */
  body?: Buffer
  /** The request was answered by its deadline; what it still does reaches nobody. */
  isOverdue?: boolean
  /** The error code of the deadline's answer; SERVICE_UNAVAILABLE where it is left out. */
  overdueCode?: ErrorCode
}

const contexts = new WeakMap<Request, RequestContext>()

export function openContext(request: Request, requestId: string): RequestContext {
  const context = { requestId }
  contexts.set(request, context)
  return context
}

export function contextOf(request: Request): RequestContext {
  const context = contexts.get(request)
  if (context === undefined) throw new Error('A request without a context has bypassed the request id middleware')
  return context
}

/** @throws UNAUTHORIZED where no guard has let the caller in: a route that forgot its guard stays closed */
export function identityOf(request: Request): Identity {
  const { identity } = contextOf(request)
  if (identity === undefined) throw new AppError('UNAUTHORIZED')
  return identity
}

/** Decisions, "Authentication and ownership": a user acts for himself, a `calls:manage` token for anybody. */
export function mayActFor(identity: Identity, userId: string): boolean {
  return identity.manages || identity.userId === userId
}

/** @throws FORBIDDEN */
export function assertMayActFor(identity: Identity, userId: string): void {
  if (!mayActFor(identity, userId)) throw new AppError('FORBIDDEN', 'The token does not speak for this user')
}

/** @throws FORBIDDEN for anybody without the scope `calls:manage` */
export function assertManages(identity: Identity): void {
  if (!identity.manages) throw new AppError('FORBIDDEN', 'This needs the scope calls:manage')
}
