/** The guards that routes put in front of their handlers, in the order of the decisions' checks. */
import type { RequestHandler } from 'express'
import { authenticate } from './middleware/authenticate.ts'
import { type AddressLimitGuard, type RateLimitGuard, rateLimits } from './middleware/rate-limits.ts'
import { readBody, readOptionalBody } from './middleware/read-body.ts'
import type { ApiServices } from './services.ts'

export interface Guards {
  authenticate: RequestHandler
  readBody: RequestHandler[]
  readOptionalBody: RequestHandler[]
  limit: RateLimitGuard
  limitAddress: AddressLimitGuard
}

export function createGuards({ platform, tokens, metrics }: ApiServices): Guards {
  return { authenticate: authenticate(tokens), readBody, readOptionalBody, ...rateLimits(platform, metrics) }
}
