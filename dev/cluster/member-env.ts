// The environment of the product's processes. Only a cluster's own variables and the machine's reach them.
import { randomBytes } from 'node:crypto'

/** What a process needs from the machine, and nothing that would configure the product. */
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ', 'NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS']

export interface MemberEnvInputs {
  /** The edge's port. */
  port: number
  scheme?: 'http' | 'https'
  databaseUrl: string
  redisUrl: string
  jwtSecret: string
  /** The caller's own; wins over all but where things are. */
  env: Record<string, string | undefined>
}

/** What all product processes of a cluster are given; each gets its ports and its name on top. */
export function memberEnv({
  port,
  scheme = 'http',
  databaseUrl,
  redisUrl,
  jwtSecret,
  env,
}: MemberEnvInputs): Record<string, string> {
  const inherited = Object.fromEntries(INHERITED.map((name) => [name, process.env[name]]))
  return withoutUnset({
    ...inherited,
    NODE_ENV: 'test',
    PUBLIC_URL: `${scheme}://localhost:${port}`,
    ...env,
    // An empty variable is as good as none.
    JWT_SECRET: env.JWT_SECRET || jwtSecret,
    PORT: String(port),
    BIND_ADDRESS: '127.0.0.1',
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
  })
}

/** A key of somebody else's tokens (an auth service) excludes a shared secret, and the product refuses to have both. */
export function withOneKey(env: Record<string, string>): Record<string, string> {
  if (!env.JWT_PUBLIC_KEY && !env.JWKS_URL) return env
  const { JWT_SECRET: _secret, ...rest } = env
  return rest
}

/** 256 bits, as HS256 wants (RFC 7518, section 3.2). */
export function randomSecret(): string {
  return randomBytes(32).toString('base64url')
}

function withoutUnset(env: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined))
}
