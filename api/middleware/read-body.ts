/**
 * Takes the body's bytes in: content type first (415), then size (413). It is read as JSON only later, by parse.ts,
 * because a rate limit comes before a malformed body (decisions, "Authentication and ownership").
 */
import express, { type Request, type RequestHandler } from 'express'
import { AppError } from '../../core/protocol/errors.ts'
import { contextOf } from '../request-context.ts'

/** Decisions, "Limits, errors, health": larger bodies are 413. */
const MAX_BODY_BYTES = 64 * 1024

const readBytes = express.raw({ type: () => true, limit: MAX_BODY_BYTES })

/** For a route that needs a body. */
export const readBody: RequestHandler[] = [
  (request, _response, next) => {
    assertJson(request)
    next()
  },
  readBytes,
  keepBytes,
]

/**
 * For a route that can do without one. A chunked request says only by its bytes that it has none (RFC 9112, section
 * 6.3), as proxies send a bodyless DELETE; so its content type is judged once they are here.
 */
export const readOptionalBody: RequestHandler[] = [
  (request, _response, next) => {
    if (Number(request.get('content-length') ?? 0) > 0) assertJson(request)
    next()
  },
  readBytes,
  keepBytes,
  (request, _response, next) => {
    if (contextOf(request).body !== undefined) assertJson(request)
    next()
  },
]

function keepBytes(...[request, , next]: Parameters<RequestHandler>): void {
  const bytes: unknown = request.body
  if (Buffer.isBuffer(bytes) && bytes.length > 0) contextOf(request).body = bytes
  next()
}

/** `application/json`, in UTF-8 (RFC 8259, section 8.1) where a charset is named at all. */
function assertJson(request: Request): void {
  const [type = '', ...parameters] = (request.get('content-type') ?? '').toLowerCase().split(';')
  const charset = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith('charset='))
  const isUtf8 = charset === undefined || /^charset="?utf-?8"?$/.test(charset)
  if (type.trim() !== 'application/json' || !isUtf8)
    throw new AppError('INVALID_REQUEST', 'The body must be application/json in UTF-8', { status: 415 })
}
