// Fills the edge's HAProxy template: who is behind it, where it listens, how much it may hold, how it fails. Pure.
import { crossOriginRules } from './cross-origin-rules.ts'
import { defaultSourceLimits, KEEP_ALIVE_SECONDS, type SourceLimits, sourceLimitRules } from './source-limits.ts'

/** One process behind the edge. */
export interface EdgeServer {
  name: string
  host: string
  port: number
  /** Its internal listener, which answers /health/ready; traffic never goes there. */
  checkPort: number
}

export interface EdgeSettings {
  /** As HAProxy's `bind` takes it, for instance `127.0.0.1:8093`. */
  bind: string
  /** Serves HTTPS and WSS instead of HTTP and WS where it is given. */
  tls?: EdgeTls
  maxConnections: number
  /** What one source may occupy; a share of `maxConnections` by default, and null where the edge must not judge sources. */
  sourceLimits?: SourceLimits | null
  /** Origins whose pages may read the edge's own answers: `*`, or as `CORS_ORIGINS` lists them. Nobody's by default. */
  origins?: string[]
  /** How long the WebSockets of a reloaded edge may live on in its old worker; {@link HARD_STOP_SECONDS} by default. */
  hardStopSeconds?: number
  apis: EdgeServer[]
  gateways: EdgeServer[]
}

export interface EdgeTls {
  /** A PEM file, or a folder of them, with the certificate, its chain and its key; read again at each reload. */
  certificate: string
  /**
   * For how long browsers must refuse plain HTTP to this host (HSTS); 0 says nothing. It holds for every port of the
   * host, so never on a developer's localhost.
   */
  strictTransportSeconds: number
}

/** Longer than most calls; the rest reconnect once. Each reload within it costs the memory of one more worker. */
export const HARD_STOP_SECONDS = 1800

/** Places beside the public ones: Prometheus, probes and a person with a browser. */
const INTERNAL_CONNECTIONS = 32

/** When to come back, as the template has drawn it for this request: a number, so without the quotes of a string. */
const RETRY_MS = '%[var(txn.retry_ms)]'
const ADVICE = { retry_after_ms: RETRY_MS }

/**
 * The finished configuration.
 * @throws when the template and the settings do not fit: a place without a value, or a value without a place
 */
export function renderEdge(template: string, settings: EdgeSettings): string {
  const { maxConnections, sourceLimits = defaultSourceLimits(maxConnections) } = settings
  const limits = sourceLimitRules(maxConnections, sourceLimits)
  const values: Record<string, string> = {
    // HTTP/1.1 alone: a WebSocket needs a connection of its own, and TCP mode finds no HTTP/2.
    bind: settings.tls ? `${settings.bind} ssl crt ${settings.tls.certificate} alpn http/1.1` : settings.bind,
    scheme: settings.tls ? 'https' : 'http',
    strict_transport: strictTransport(settings.tls),
    max_connections: String(maxConnections),
    all_connections: String(maxConnections + INTERNAL_CONNECTIONS),
    keep_alive_seconds: String(KEEP_ALIVE_SECONDS),
    source_limits: limits.atArrival,
    pressure_rules: limits.atRequest,
    socket_limits: limits.atSocket,
    source_tables: limits.tables,
    cors_rules: crossOriginRules(settings.origins ?? []),
    hard_stop_seconds: String(settings.hardStopSeconds ?? HARD_STOP_SECONDS),
    api_servers: checkedServers(settings.apis),
    gateway_servers: checkedServers(settings.gateways),
    malformed_servers: refusingServers('api', settings.apis),
    invalid_request: errorBody('INVALID_REQUEST', 'The request is not valid HTTP or came too slowly'),
    rate_limited: errorBody('RATE_LIMITED', 'Too many connections come from your network', ADVICE),
    internal_error: errorBody('INTERNAL_ERROR', 'Internal server error'),
    service_unavailable: errorBody('SERVICE_UNAVAILABLE', 'Service temporarily unavailable', ADVICE),
  }
  const unused = new Set(Object.keys(values))
  const rendered = template.replace(/\{\{(\w+)\}\}/g, (_place, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`The edge's template wants {{${name}}}, which nobody provides`)
    unused.delete(name)
    return value
  })
  if (unused.size > 0) throw new Error(`The edge's template has no place for ${[...unused].join(', ')}`)
  return rendered
}

function checkedServers(servers: EdgeServer[]): string {
  const ids = serverIds(servers)
  return servers
    .map(
      ({ name, host, port, checkPort }) =>
        `  server ${name} ${host}:${port} id ${ids.get(name)} check port ${checkPort}`,
    )
    .join('\n')
}

/**
 * HAProxy places a server on the hash ring by its id, which is its position in the list where none is given: then a
 * gateway that leaves would move the calls of all that follow it. So the name decides, by FNV-1a; HAProxy (2.6) uses
 * the lower 20 bits alone. Of two names with one hash the later in the alphabet moves on.
 */
function serverIds(servers: EdgeServer[]): Map<string, number> {
  const ids = new Map<string, number>()
  const taken = new Set([0])
  for (const name of servers.map((server) => server.name).sort()) {
    let hash = 0x811c9dc5
    for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
    let id = (hash ^ (hash >>> 20)) & 0xfffff
    while (taken.has(id)) id = (id + 1) & 0xfffff
    taken.add(id)
    ids.set(name, id)
  }
  return ids
}

function strictTransport(tls: EdgeTls | undefined): string {
  if (tls === undefined || tls.strictTransportSeconds === 0) return ''
  return `  http-after-response set-header Strict-Transport-Security max-age=${tls.strictTransportSeconds}`
}

/** What makes a connection one that an API refuses whole; see the template. */
export const REFUSED = 'send-proxy'

/** The same servers in a second backend, as healthy as in the first. */
function refusingServers(backend: string, servers: EdgeServer[]): string {
  return servers
    .map(({ name, host, port }) => `  server ${name} ${host}:${port} track ${backend}/${name} ${REFUSED}`)
    .join('\n')
}

/** The contract's error envelope as an HAProxy log format, which knows the moment and the request. */
function errorBody(code: string, message: string, details?: object): string {
  const timestamp = '%[date,utime(%Y-%m-%dT%H:%M:%SZ)]'
  const error = { code, message, ...(details === undefined ? {} : { details }) }
  const body = JSON.stringify({ error, timestamp, request_id: '%[var(txn.request_id)]' })
  return body.replace(`"${RETRY_MS}"`, RETRY_MS)
}

/** HAProxy reserves memory for each connection slot at its start; this many cost it a few dozen megabytes. */
const MOST_CONNECTIONS = 50_000
/** Enough for one developer where the system allows next to nothing. */
const FEWEST_CONNECTIONS = 50

/**
 * How many client connections fit into a limit of open files: each takes two (client and server side), the rest is
 * for checks, listeners and the log. 20,000 files give 8,000.
 */
export function maxConnectionsFor(openFiles: number): number {
  return Math.max(FEWEST_CONNECTIONS, Math.min(Math.floor(openFiles * 0.4), MOST_CONNECTIONS))
}
