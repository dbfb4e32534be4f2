// Where a scenario runs, and with whose tokens. Looked at before: two thousand users would each find out for themselves.
import { randomUUID } from 'node:crypto'
import { mintToken, readTokenKey, type TokenKey } from '../dev/cluster/token-key.ts'

/** For a service to say that it is there. */
const ANSWER_MS = 5_000

export interface ScenarioTarget {
  url: string
  key: TokenKey
}

/**
 * The service at `url`, whose JWT_SECRET (JWT_ISSUER and JWT_AUDIENCE, if it wants them) is in `env`; without a URL, what
 * `make up` started in this checkout.
 * @throws with what is missing, or where the service does not answer or takes no such tokens
 */
export async function findTarget(url: string, env: NodeJS.ProcessEnv, runDir: string): Promise<ScenarioTarget> {
  const secret = env.JWT_SECRET
  // Tokens of the cluster here would be refused by another service, one by one.
  if (url !== '' && !secret) throw new Error('Give the JWT_SECRET of the service at url=: its users are made up here.')
  if (url !== '' && !/^https?:\/\/[^/]/.test(url))
    throw new Error(`url= must be like https://calls.example.com, not ${url}`)
  const key = secret ? { secret, issuer: env.JWT_ISSUER, audience: env.JWT_AUDIENCE } : readTokenKey(runDir)
  if (key === undefined)
    throw new Error('No cluster runs here. Start one with "make up", or give url= and the service\'s JWT_SECRET.')
  const target = { url: (url || `http://localhost:${env.PORT ?? 8093}`).replace(/\/+$/, ''), key }
  const health = await statusOf(target, '/health')
  if (health !== 200) throw new Error(`${target.url}/health does not answer: ${health}`)
  const user = randomUUID()
  const active = await statusOf(target, `/api/v1/calls/user/${user}/active`, mintToken(key, { user }))
  if (active === 401)
    throw new Error(
      `${target.url} refuses tokens of this JWT_SECRET; JWT_ISSUER and JWT_AUDIENCE must be its own, too.`,
    )
  return target
}

/** The status, or why there is none. */
async function statusOf({ url }: ScenarioTarget, path: string, token?: string): Promise<number | string> {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  try {
    const response = await fetch(url + path, { headers, signal: AbortSignal.timeout(ANSWER_MS) })
    await response.body?.cancel()
    return response.status
  } catch (error) {
    const { message, cause } = error as Error
    if (!(cause instanceof Error)) return message
    return 'code' in cause ? String(cause.code) : cause.message
  }
}
