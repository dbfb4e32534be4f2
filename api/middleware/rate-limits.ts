/** Which limit guards which route (contract, "Rate Limits"), and how its state is told. */
import { createHmac } from 'node:crypto'
import type { RequestHandler, Response } from 'express'
import type { Platform } from '../../core/context.ts'
import { RateLimiter, type RateVerdict } from '../../core/platform/rate-limiter.ts'
import { AppError } from '../../core/protocol/errors.ts'
import type { ApiMetrics } from '../api-metrics.ts'
import { identityOf } from '../request-context.ts'

export type LimitName = 'initiate' | 'presence' | 'history' | 'ticket'

/** Makes the guard of a route. Routes without a limit for users name none: `calls:manage` has a limit of its own everywhere. */
export type RateLimitGuard = (name?: LimitName) => RequestHandler

/** Makes the guard of a route that nobody needs a token for: it counts by where requests come from. */
export type AddressLimitGuard = (name: 'sign_in') => RequestHandler

export interface RateLimitGuards {
  limit: RateLimitGuard
  limitAddress: AddressLimitGuard
}

export function rateLimits({ config, redis }: Platform, metrics: ApiMetrics): RateLimitGuards {
  const { initiatePerMinute, presencePerMinute, historyPerMinute, ticketPerMinute, managePerMinute, signInPerMinute } =
    config.rateLimits
  const limiter = (name: string, perMinute: number) =>
    new RateLimiter(redis, { keyPrefix: config.redis.keyPrefix, name, perMinute })
  const limiters = {
    initiate: limiter('initiate', initiatePerMinute),
    presence: limiter('presence', presencePerMinute),
    history: limiter('history', historyPerMinute),
    ticket: limiter('ticket', ticketPerMinute),
    manage: limiter('manage', managePerMinute),
    sign_in: limiter('sign_in', signInPerMinute),
  }

  async function count(applied: keyof typeof limiters, key: string, response: Response): Promise<void> {
    const verdict = await limiters[applied].take(key)
    tell(response, verdict)
    if (verdict.countedLocally) metrics.limitedLocally(applied)
    if (verdict.allowed) return
    metrics.limited(applied)
    response.set('Retry-After', String(wholeSeconds(verdict)))
    throw new AppError('RATE_LIMITED', undefined, {
      details: { limit: verdict.limit, retry_after_seconds: wholeSeconds(verdict) },
    })
  }

  return {
    limit: (name) => async (request, response, next) => {
      const { userId, manages } = identityOf(request)
      const applied = manages ? 'manage' : name
      if (applied !== undefined) await count(applied, userId, response)
      next()
    },
    limitAddress: (name) => async (request, response, next) => {
      await count(name, veil(request.ip ?? '', config.tokens.secret), response)
      next()
    },
  }
}

/** Addresses of clients are stored nowhere, not even for a minute: this tells two apart and names none. */
function veil(address: string, secret: string): string {
  return createHmac('sha256', secret).update(address).digest('base64url').slice(0, 22)
}

/** The header names that most servers send (IETF draft "RateLimit header fields", up to version 06). */
function tell(response: Response, verdict: RateVerdict): void {
  response.set({
    'RateLimit-Limit': String(verdict.limit),
    'RateLimit-Remaining': String(verdict.remaining),
    'RateLimit-Reset': String(wholeSeconds(verdict)),
  })
}

/** Rounded up: a client that waits so long is let in. */
function wholeSeconds({ resetMs }: RateVerdict): number {
  return Math.max(1, Math.ceil(resetMs / 1000))
}
