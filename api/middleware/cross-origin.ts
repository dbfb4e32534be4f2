/** Which web pages may read our answers. The same origins may open sockets at the gateways. */
import cors from 'cors'
import type { RequestHandler } from 'express'

/** Browsers keep a preflight's answer for so long; Chromium caps it at two hours. */
const PREFLIGHT_SECONDS = 600

/** Headers a page may read beside the few that every page may. */
const EXPOSED = [
  'Idempotent-Replayed',
  'RateLimit-Limit',
  'RateLimit-Remaining',
  'RateLimit-Reset',
  'Retry-After',
  'X-Request-Id',
]

/**
 * A page may send any header, so that tracing (traceparent, baggage, sentry-trace) needs no word here: without cookies a
 * page has no more rights than the token that it sends.
 */
export function crossOrigin(origins: string[]): RequestHandler {
  return cors({
    origin: origins.includes('*') ? '*' : origins,
    methods: ['GET', 'POST', 'PUT', 'DELETE'],
    exposedHeaders: EXPOSED,
    maxAge: PREFLIGHT_SECONDS,
  })
}
