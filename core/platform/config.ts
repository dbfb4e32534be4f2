/** Turns validated variables into one typed, grouped configuration. Pure: the processes hand in `process.env`. */
import { allowedOrigins } from './allowed-origins.ts'
import { type CallGroups, callGroups } from './call-groups.ts'
import { ConfigError, type Environment, readEnvironment } from './environment.ts'
import { readPem } from './pem.ts'
import { readPostgresUrl } from './postgres-url.ts'
import { webhookEndpoints } from './webhook-endpoints.ts'

export type ProcessRole = 'api' | 'gateway' | 'worker' | 'migrate' | 'callctl'

/** Where the internal listeners (probes, metrics) of the three processes are by default. */
const METRICS_PORTS: Record<ProcessRole, number> = { api: 9101, gateway: 9102, worker: 9103, migrate: 0, callctl: 0 }

export type Config = ReturnType<typeof loadConfig>

/** A period in whole milliseconds: Postgres, Redis and the pool of connections take no fractions of them. */
const ms = (seconds: number): number => Math.round(seconds * 1000)

/**
 * Builds the configuration of one process. All `...Ms` are milliseconds.
 * @throws ConfigError naming what is wrong, also for combinations (no key in production, secret and key at once).
 */
export function loadConfig(role: ProcessRole, env: Record<string, string | undefined>) {
  const e = readEnvironment(env)
  if (e.NODE_LEASE_SECONDS <= e.NODE_BEAT_SECONDS)
    throw new ConfigError('NODE_LEASE_SECONDS must be more than NODE_BEAT_SECONDS, or every node counts as dead.')
  if (e.DEMO_ENABLED && e.NODE_ENV === 'production')
    throw new ConfigError('DEMO_ENABLED must not be true in production: it gives a token to anybody for a name.')
  if (e.DEMO_ENABLED && role === 'api' && e.JWT_SECRET === '')
    throw new ConfigError('DEMO_ENABLED needs JWT_SECRET: its tokens are signed with it.')
  const endpoints = webhookEndpoints(e, role === 'worker')
  const giveUpMs = ms(e.WEBHOOK_GIVE_UP_SECONDS)
  const publicUrl = e.PUBLIC_URL || `http://localhost:${e.PORT}`
  const groups = callGroups(e, publicUrl, role === 'gateway')
  // Closed by default where users are: everybody's pages only for a deployment that says so.
  const listedOrigins = e.NODE_ENV === 'production' && !env.CORS_ORIGINS?.trim() ? [] : e.CORS_ORIGINS
  return {
    role,
    nodeName: e.NODE_NAME || `${role}-${process.pid}`,
    production: e.NODE_ENV === 'production',
    logLevel: e.LOG_LEVEL,
    http: {
      bindAddress: e.BIND_ADDRESS,
      port: role === 'gateway' ? e.GATEWAY_PORT : e.API_PORT,
      metricsPort: env.METRICS_PORT?.trim() ? e.METRICS_PORT : METRICS_PORTS[role],
      /** Decides `signaling_url` where there is one group; never the request's Host. No trailing slash. */
      publicUrl,
      /** The service's own origins are among them; see allowed-origins.ts. */
      corsOrigins: allowedOrigins(listedOrigins, [publicUrl, ...groups.all.map((group) => group.publicUrl)]),
      docsEnabled: e.DOCS_ENABLED,
      /** The page at `/`, and tokens for whoever gives a name. */
      demoEnabled: e.DEMO_ENABLED,
      shutdownTimeoutMs: ms(e.SHUTDOWN_TIMEOUT_SECONDS),
    },
    postgres: {
      ...readPostgresUrl(e.DATABASE_URL),
      poolMax: e.DATABASE_POOL_MAX,
      /** Longest wait of a request for Postgres, all its statements together, before it gets SERVICE_UNAVAILABLE. */
      timeoutMs: ms(e.DATABASE_TIMEOUT_SECONDS),
      /** Longest wait for one statement. Background jobs and migrations may take longer than a client would wait. */
      statementMs: ms(e.DATABASE_TIMEOUT_SECONDS) * (role === 'api' || role === 'gateway' ? 1 : 4),
    },
    /** A gateway's server is that of its group, everybody else's that of the first. */
    redis: redisConfig(e, groups),
    groups,
    tokens: tokenConfig(role, e),
    calls: {
      ringTimeoutMs: ms(e.RING_TIMEOUT_SECONDS),
      /** A call that no device has confirmed to ring for so long is reported as unreachable to its caller. */
      unreachableAfterMs: ms(e.UNREACHABLE_AFTER_SECONDS),
      setupTimeoutMs: ms(e.SETUP_TIMEOUT_SECONDS),
      lostPeersTimeoutMs: ms(e.LOST_PEERS_TIMEOUT_SECONDS),
      requireOnlineCallee: e.REQUIRE_ONLINE_CALLEE,
      /** Rings of one caller at one callee that may go unanswered within the window. */
      unansweredRingsMax: e.UNANSWERED_RINGS_MAX,
      unansweredRingsWindowMs: ms(e.UNANSWERED_RINGS_WINDOW_SECONDS),
      idempotencyRetentionMs: ms(e.IDEMPOTENCY_RETENTION_SECONDS),
      outboxRetentionMs: ms(e.OUTBOX_RETENTION_SECONDS),
      /** Which events are written down for which endpoint; without any, nothing is. */
      webhooks: {
        subscriptions: endpoints.flatMap(({ name, types }) => types.map((type) => ({ endpoint: name, type }))),
        giveUpMs,
      },
    },
    presence: { onlineAfterPutMs: ms(e.PRESENCE_ONLINE_SECONDS) },
    worker: { sweepIntervalMs: ms(e.SWEEP_INTERVAL_SECONDS) },
    nodes: { beatMs: ms(e.NODE_BEAT_SECONDS), leaseMs: ms(e.NODE_LEASE_SECONDS) },
    signaling: {
      reconnectGraceMs: ms(e.RECONNECT_GRACE_SECONDS),
      floodPerSecond: e.FLOOD_MESSAGES_PER_SECOND,
      floodBurst: e.FLOOD_BURST,
      /** Of all connections of a user to one gateway. */
      floodBytesPerSecond: e.FLOOD_BYTES_PER_SECOND,
      floodBurstBytes: e.FLOOD_BURST_BYTES,
      callConnectionsPerUser: e.CALL_CONNECTIONS_PER_USER,
      userChannelsPerUser: e.USER_CHANNELS_PER_USER,
      pingIntervalMs: ms(e.PING_INTERVAL_SECONDS),
      pingTimeoutMs: ms(e.PING_TIMEOUT_SECONDS),
      flushMs: e.RELAY_FLUSH_MS,
      drainWindowMs: ms(e.DRAIN_WINDOW_SECONDS),
      handshakesAtOnce: e.HANDSHAKES_AT_ONCE,
      relayHoldMs: ms(e.RELAY_HOLD_SECONDS),
    },
    rateLimits: {
      initiatePerMinute: e.RATE_LIMIT_INITIATE_PER_MINUTE,
      presencePerMinute: e.RATE_LIMIT_PRESENCE_PER_MINUTE,
      historyPerMinute: e.RATE_LIMIT_HISTORY_PER_MINUTE,
      ticketPerMinute: e.RATE_LIMIT_TICKET_PER_MINUTE,
      managePerMinute: e.RATE_LIMIT_MANAGE_PER_MINUTE,
      /** By address, not by user. */
      signInPerMinute: e.RATE_LIMIT_SIGN_IN_PER_MINUTE,
    },
    ice: iceConfig(e),
    webhooks: {
      endpoints,
      allowPrivate: e.WEBHOOK_ALLOW_PRIVATE,
      /** The whole of one attempt. */
      timeoutMs: ms(e.WEBHOOK_TIMEOUT_SECONDS),
      /** Per endpoint and process. */
      concurrency: e.WEBHOOK_CONCURRENCY,
      backoffMs: ms(e.WEBHOOK_BACKOFF_SECONDS),
      backoffMaxMs: ms(e.WEBHOOK_BACKOFF_MAX_SECONDS),
      giveUpMs,
      deadLetterRetentionMs: ms(e.WEBHOOK_DEAD_LETTER_RETENTION_SECONDS),
    },
  }
}

function tokenConfig(role: ProcessRole, e: Environment) {
  const given = [e.JWT_SECRET, e.JWT_PUBLIC_KEY, e.JWKS_URL].filter((value) => value !== '')
  if (given.length > 1) throw new ConfigError('Set only one of JWT_SECRET, JWT_PUBLIC_KEY and JWKS_URL.')
  const verifies = role === 'api' || role === 'gateway'
  if (verifies && given.length === 0)
    throw new ConfigError('JWT_SECRET, JWT_PUBLIC_KEY or JWKS_URL must be set: without a key no token can be checked.')
  // RFC 7518 section 3.2: an HS256 key has at least the size of the hash.
  if (verifies && e.NODE_ENV === 'production' && e.JWT_SECRET !== '' && Buffer.byteLength(e.JWT_SECRET) < 32)
    throw new ConfigError('JWT_SECRET must have at least 32 bytes in production.')
  return {
    secret: e.JWT_SECRET,
    publicKey: e.JWT_PUBLIC_KEY.replaceAll('\\n', '\n'),
    jwksUrl: e.JWKS_URL,
    issuer: e.JWT_ISSUER,
    audience: e.JWT_AUDIENCE,
  }
}

function redisConfig(e: Environment, { own, all }: CallGroups) {
  if (all.length > 1 && e.REDIS_SENTINELS.length > 0)
    throw new ConfigError('REDIS_SENTINELS names the server of one group: with GROUP_REDIS_URLS there are several.')
  if (e.REDIS_CA_FILE !== '' && !e.REDIS_URL.startsWith('rediss:'))
    throw new ConfigError(
      'REDIS_CA_FILE needs a REDIS_URL that starts with rediss://: without TLS it is not looked at.',
    )
  const sentinels = e.REDIS_SENTINELS.map((place) => {
    const at = place.lastIndexOf(':')
    return { host: place.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(place.slice(at + 1)) }
  })
  return {
    /** With sentinels, its user, password, database and scheme alone count: they say where the server is. */
    url: own.redisUrl,
    keyPrefix: e.REDIS_KEY_PREFIX,
    /** PEM of the authority that vouches for the servers; undefined: the well-known ones. */
    ca: e.REDIS_CA_FILE === '' ? undefined : readPem('REDIS_CA_FILE', e.REDIS_CA_FILE),
    sentinel:
      sentinels.length === 0
        ? undefined
        : { places: sentinels, name: e.REDIS_SENTINEL_NAME, password: e.REDIS_SENTINEL_PASSWORD },
  }
}

function iceConfig(e: Environment) {
  if (e.TURN_URLS.length > 0 && e.TURN_SECRET.length === 0)
    throw new ConfigError('TURN_SECRET must be set where TURN_URLS is: TURN credentials are made from it.')
  // RFC 2104 section 3: a key shorter than the hash is weak, and every user has a credential to try guesses on.
  if (e.NODE_ENV === 'production' && e.TURN_SECRET.some((secret) => Buffer.byteLength(secret) < 20))
    throw new ConfigError('Each secret of TURN_SECRET must have at least 20 bytes in production.')
  return {
    stunUrls: e.STUN_URLS,
    turnUrls: e.TURN_URLS,
    /** The first signs; a TURN server may still know the others. */
    turnSecrets: e.TURN_SECRET,
    turnTtlSeconds: e.TURN_TTL_SECONDS,
  }
}
