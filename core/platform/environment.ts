/**
 * Every environment variable of the product: how it is read, its default and, for `.env.example`, its meaning.
 * A test holds `.env.example` to this table, so neither can forget a variable.
 */
import { isOriginPattern } from './allowed-origins.ts'

/** One variable: `read` turns its text into a value or throws a sentence that starts after the variable's name. */
export interface Variable<T> {
  read(text: string): T
  /** The value when the variable is absent or empty. */
  fallback: T
}

function variable<T>(fallback: T, read: (text: string) => T): Variable<T> {
  return { fallback, read }
}

function whole(fallback: number, unit: string, min = 1, max = 1_000_000_000): Variable<number> {
  return variable(fallback, (text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new Error(`must be a whole number of ${unit} from ${min} to ${max}`)
    return value
  })
}

function decimal(fallback: number, unit: string, min: number, max: number): Variable<number> {
  return variable(fallback, (text) => {
    const value = Number(text)
    if (!/^\d+(\.\d+)?$/.test(text) || value < min || value > max)
      throw new Error(`must be a number of ${unit} from ${min} to ${max}`)
    return value
  })
}

const port = (fallback: number) => whole(fallback, 'a TCP port', 0, 65_535)
const seconds = (fallback: number) => decimal(fallback, 'seconds', 0.05, 86_400)
const text = (fallback: string) => variable(fallback, (value) => value)
const flag = (fallback: boolean) =>
  variable(fallback, (value) => {
    if (value !== 'true' && value !== 'false') throw new Error('must be true or false')
    return value === 'true'
  })
const oneOf = <T extends string>(fallback: T, ...values: T[]) =>
  variable(fallback, (value) => {
    const found = values.find((candidate) => candidate === value)
    if (found === undefined) throw new Error(`must be one of ${values.join(', ')}`)
    return found
  })
const origins = (fallback: string[]) =>
  variable(fallback, (value) => {
    const parts = value.split(',').map((part) => part.trim())
    // A client sends an origin without a path or a slash; anything else would silently match nobody.
    if (!parts.every(isOriginPattern))
      throw new Error(
        'must be * or a comma-separated list of origins such as https://calls.example.com, capacitor://localhost or null',
      )
    return parts
  })
const url = (fallback: string, ...schemes: string[]) =>
  variable(fallback, (value) => {
    const parsed = URL.canParse(value) ? new URL(value) : undefined
    if (parsed === undefined || !schemes.includes(parsed.protocol))
      throw new Error(`must be a URL that starts with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}`)
    return value.replace(/\/+$/, '')
  })
const list = (fallback: string[], pattern: RegExp, form: string) =>
  variable(fallback, (value) => {
    if (value === 'none') return []
    const parts = value.split(',').map((part) => part.trim())
    for (const part of parts)
      if (!pattern.test(part)) throw new Error(`must be none or a comma-separated list of ${form}`)
    return parts
  })

const secrets = variable<string[]>([], (value) => {
  const parts = value.split(',').map((part) => part.trim())
  if (parts.includes('')) throw new Error('must be one secret or a comma-separated list of them')
  return parts
})

export const VARIABLES = {
  NODE_ENV: oneOf('development', 'development', 'production', 'test'),
  NODE_NAME: text(''),
  LOG_LEVEL: oneOf('info', 'fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
  BIND_ADDRESS: text('127.0.0.1'),
  PORT: port(8093),
  PUBLIC_URL: url('', 'http:', 'https:'),
  API_PORT: port(8081),
  GATEWAY_PORT: port(8082),
  METRICS_PORT: port(0),
  SHUTDOWN_TIMEOUT_SECONDS: seconds(20),

  DATABASE_URL: url('postgres://127.0.0.1:5432/tchat', 'postgres:', 'postgresql:'),
  DATABASE_POOL_MAX: whole(10, 'connections', 1, 500),
  DATABASE_TIMEOUT_SECONDS: seconds(5),
  REDIS_URL: url('redis://127.0.0.1:6379', 'redis:', 'rediss:'),
  REDIS_CA_FILE: text(''),
  REDIS_SENTINELS: list([], /^[^\s,:/@]+:\d{1,5}$|^\[[0-9a-f:.]+\]:\d{1,5}$/i, 'host:port of sentinels'),
  REDIS_SENTINEL_NAME: text('mymaster'),
  REDIS_SENTINEL_PASSWORD: text(''),
  REDIS_KEY_PREFIX: variable('tchat:', (value) => {
    if (!/^[a-z0-9:_-]{1,40}$/i.test(value)) throw new Error('must be 1 to 40 letters, digits, colons, _ or -')
    return value
  }),

  GROUP: text(''),
  GROUP_REDIS_URLS: list([], /^[a-z0-9][a-z0-9-]{0,39}=rediss?:\/\/[^\s,]+$/, 'name=redis://… or name=rediss://…'),
  GROUP_PUBLIC_URLS: list([], /^[a-z0-9][a-z0-9-]{0,39}=https?:\/\/[^\s,]+$/, 'origins, as name=https://…'),
  GROUPS_CLOSED: list([], /^[a-z0-9][a-z0-9-]{0,39}$/, 'names of groups'),

  JWT_SECRET: text(''),
  JWT_PUBLIC_KEY: text(''),
  JWKS_URL: url('', 'http:', 'https:'),
  JWT_ISSUER: text(''),
  JWT_AUDIENCE: text(''),

  RING_TIMEOUT_SECONDS: seconds(45),
  UNREACHABLE_AFTER_SECONDS: seconds(15),
  SETUP_TIMEOUT_SECONDS: seconds(60),
  LOST_PEERS_TIMEOUT_SECONDS: seconds(60),
  RECONNECT_GRACE_SECONDS: seconds(10),
  SWEEP_INTERVAL_SECONDS: seconds(0.5),
  REQUIRE_ONLINE_CALLEE: flag(false),
  PRESENCE_ONLINE_SECONDS: seconds(300),
  IDEMPOTENCY_RETENTION_SECONDS: decimal(86_400, 'seconds', 1, 31_536_000),
  OUTBOX_RETENTION_SECONDS: decimal(604_800, 'seconds', 1, 31_536_000),

  CORS_ORIGINS: origins(['*']),
  FLOOD_MESSAGES_PER_SECOND: whole(100, 'messages a second'),
  FLOOD_BURST: whole(400, 'messages'),
  FLOOD_BYTES_PER_SECOND: whole(262_144, 'bytes a second'),
  // One message of the largest size must fit.
  FLOOD_BURST_BYTES: whole(4_194_304, 'bytes', 65_536),
  CALL_CONNECTIONS_PER_USER: whole(5, 'connections', 1, 1000),
  USER_CHANNELS_PER_USER: whole(5, 'connections', 1, 1000),
  PING_INTERVAL_SECONDS: seconds(10),
  PING_TIMEOUT_SECONDS: seconds(8),
  RELAY_FLUSH_MS: decimal(5, 'milliseconds', 0, 1000),
  RELAY_HOLD_SECONDS: seconds(20),
  DRAIN_WINDOW_SECONDS: seconds(5),
  HANDSHAKES_AT_ONCE: whole(256, 'handshakes', 1, 100_000),
  NODE_BEAT_SECONDS: seconds(2),
  NODE_LEASE_SECONDS: seconds(8),

  RATE_LIMIT_INITIATE_PER_MINUTE: whole(10, 'requests a minute'),
  UNANSWERED_RINGS_MAX: whole(8, 'rings'),
  UNANSWERED_RINGS_WINDOW_SECONDS: decimal(600, 'seconds', 1, 86_400),
  RATE_LIMIT_PRESENCE_PER_MINUTE: whole(100, 'requests a minute'),
  RATE_LIMIT_HISTORY_PER_MINUTE: whole(100, 'requests a minute'),
  RATE_LIMIT_TICKET_PER_MINUTE: whole(100, 'requests a minute'),
  RATE_LIMIT_MANAGE_PER_MINUTE: whole(6000, 'requests a minute'),
  RATE_LIMIT_SIGN_IN_PER_MINUTE: whole(30, 'requests a minute'),

  STUN_URLS: list(['stun:stun.l.google.com:19302'], /^stuns?:[^\s,]+$/, 'stun: or stuns: URLs'),
  TURN_URLS: list([], /^turns?:[^\s,]+$/, 'turn: or turns: URLs'),
  TURN_SECRET: secrets,
  TURN_TTL_SECONDS: whole(3600, 'seconds', 5, 86_400),
  DOCS_ENABLED: flag(true),
  DEMO_ENABLED: flag(false),

  WEBHOOK_URLS: list(
    [],
    /^([a-z0-9][a-z0-9-]{0,39}=)?https?:\/\/[^\s,]+$/i,
    'http: or https: URLs, as name=https://… or bare',
  ),
  WEBHOOK_SECRETS: list(
    [],
    /^([^=,|]+=)?whsec_[a-z0-9+/]+=*(\|whsec_[a-z0-9+/]+=*)*$/i,
    'whsec_… secrets, as name=whsec_…',
  ),
  WEBHOOK_EVENTS: list([], /^([^=,|]+=)?call\.[a-z]+(\|call\.[a-z]+)*$/i, 'types, as name=call.initiated|call.missed'),
  WEBHOOK_ALLOW_PRIVATE: flag(false),
  WEBHOOK_TIMEOUT_SECONDS: decimal(10, 'seconds', 0.05, 60),
  WEBHOOK_CONCURRENCY: whole(10, 'requests', 1, 1000),
  WEBHOOK_BACKOFF_SECONDS: seconds(1),
  WEBHOOK_BACKOFF_MAX_SECONDS: seconds(60),
  WEBHOOK_GIVE_UP_SECONDS: decimal(86_400, 'seconds', 0.05, 31_536_000),
  WEBHOOK_DEAD_LETTER_RETENTION_SECONDS: decimal(2_592_000, 'seconds', 1, 31_536_000),
} satisfies Record<string, Variable<unknown>>

export type Environment = { [K in keyof typeof VARIABLES]: (typeof VARIABLES)[K]['fallback'] }

/** Thrown at start; its message names every wrong variable, and what is expected of it, in one sentence each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/**
 * Reads and validates all variables at once. An empty value counts as absent.
 * @throws ConfigError with a sentence for each wrong variable. The value itself is not repeated: it may be a secret.
 */
export function readEnvironment(env: Record<string, string | undefined>): Environment {
  const faults: string[] = []
  const values: Record<string, unknown> = {}
  for (const [name, { read, fallback }] of Object.entries(VARIABLES) as [string, Variable<unknown>][]) {
    const given = env[name]?.trim()
    try {
      values[name] = given === undefined || given === '' ? fallback : read(given)
    } catch (error) {
      faults.push(`${name} ${(error as Error).message}.`)
    }
  }
  if (faults.length > 0) throw new ConfigError(faults.join(' '))
  return values as Environment
}
