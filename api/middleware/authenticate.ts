/** Who is asking: `Authorization: Bearer`, and nothing else. */
import type { RequestHandler } from 'express'
import type { TokenVerifier } from '../../core/platform/tokens.ts'
import { AppError } from '../../core/protocol/errors.ts'
import { contextOf } from '../request-context.ts'

/** RFC 6750, section 3. */
const CHALLENGE = 'Bearer realm="calling"'

export function authenticate(tokens: TokenVerifier): RequestHandler {
  return async (request, response, next) => {
    const token = bearerToken(request.get('authorization'))
    try {
      contextOf(request).identity = await tokens.verify(token)
    } catch (error) {
      if (error instanceof AppError && error.status === 401)
        response.set('WWW-Authenticate', token === undefined ? CHALLENGE : `${CHALLENGE}, error="invalid_token"`)
      throw error
    }
    next()
  }
}

/** The scheme's name is case-insensitive (RFC 9110, section 11.1). */
function bearerToken(header: string | undefined): string | undefined {
  return /^Bearer +([^ ]+) *$/i.exec(header ?? '')?.[1]
}
