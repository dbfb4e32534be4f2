/**
 * The demo: a token for a name, and who else has one. These routes exist only where DEMO_ENABLED says so, which
 * production refuses; elsewhere their paths are as unknown as any other.
 */
import { type Request, type Response, Router } from 'express'
import { mintDemoToken } from '../../core/platform/demo-tokens.ts'
import type { DemoSignInResponse, DemoUsersResponse } from '../../core/protocol/http.ts'
import { BASE_PATH } from '../base-path.ts'
import type { Guards } from '../guards.ts'
import { parseDemoName } from '../parse.ts'
import { presentDemoUser } from '../present.ts'
import { identityOf } from '../request-context.ts'
import type { ApiServices } from '../services.ts'

/** What a list on a screen can hold, and what one request may ask of the stores. */
const USERS_MAX = 100

export function demoRoutes(services: ApiServices, { authenticate, readBody, limit, limitAddress }: Guards): Router {
  const { demoUsers, presence, calls } = services
  const { tokens, http } = services.platform.config

  async function signIn(request: Request, response: Response): Promise<void> {
    const user = await demoUsers.signIn(parseDemoName(request))
    const { token, expiresAt } = mintDemoToken(tokens, user, new Date())
    response.json({
      user_id: user.userId,
      name: user.name,
      token,
      expires_at: expiresAt.toISOString(),
      signaling_origin: new URL(http.publicUrl).origin,
    } satisfies DemoSignInResponse)
  }

  async function list(request: Request, response: Response): Promise<void> {
    const { userId: viewerId } = identityOf(request)
    const users = await demoUsers.latest(USERS_MAX)
    const ids = users.map(({ userId }) => userId)
    const [presences, busy] = await Promise.all([presence.findMany(ids), calls.busyAmong(ids)])
    const shown = users.flatMap((user, index) => {
      const found = presences[index]
      // Who wants to be seen by contacts alone, or by nobody, is not on a list for everybody.
      if (found === undefined || (found.visibility !== 'everyone' && user.userId !== viewerId)) return []
      return [presentDemoUser(user.name, found, busy.has(user.userId))]
    })
    response.json({ users: shown } satisfies DemoUsersResponse)
  }

  const router = Router({ caseSensitive: true })
  router.route(`${BASE_PATH}/demo/sign-in`).post(readBody, limitAddress('sign_in'), signIn)
  router.route(`${BASE_PATH}/demo/users`).get(authenticate, limit(), list)
  return router
}
