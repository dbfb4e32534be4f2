/** Who is asking: `Authorization: Bearer`, and nothing else. */
import type { RequestHandler } from 'express'
import { challengeOf, readCredential } from '../../core/platform/credentials.ts'
import type { TokenVerifier } from '../../core/platform/tokens.ts'
import { AppError } from '../../core/protocol/errors.ts'
import { contextOf } from '../request-context.ts'

export function authenticate(tokens: TokenVerifier): RequestHandler {
  return async (request, response, next) => {
    const token = readCredential({ authorization: request.get('authorization') })
    try {
      contextOf(request).identity = await tokens.verify(token)
    } catch (error) {
      const challenge = error instanceof AppError ? challengeOf(error) : undefined
      if (challenge !== undefined) response.set('WWW-Authenticate', challenge)
      throw error
    }
    next()
  }
}
