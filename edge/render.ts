// Fills the edge's HAProxy template: who is behind it, where it listens, how much it may hold, how it fails. Pure.

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
  maxConnections: number
  apis: EdgeServer[]
  gateways: EdgeServer[]
}

/** When to come back, as the template has drawn it for this request: a number, so without the quotes of a string. */
const RETRY_MS = '%[var(txn.retry_ms)]'
const ADVICE = { retry_after_ms: RETRY_MS }

/**
 * The finished configuration.
 * @throws when the template and the settings do not fit: a place without a value, or a value without a place
 */
export function renderEdge(template: string, settings: EdgeSettings): string {
  const values: Record<string, string> = {
    bind: settings.bind,
    max_connections: String(settings.maxConnections),
    api_servers: checkedServers(settings.apis),
    gateway_servers: checkedServers(settings.gateways),
    malformed_servers: trackingServers('api', settings.apis),
    invalid_request: errorBody('INVALID_REQUEST', 'The request is not valid HTTP or came too slowly'),
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
  return servers
    .map(({ name, host, port, checkPort }) => `  server ${name} ${host}:${port} check port ${checkPort}`)
    .join('\n')
}

/** The same servers in a second backend, as healthy as in the first. */
function trackingServers(backend: string, servers: EdgeServer[]): string {
  return servers.map(({ name, host, port }) => `  server ${name} ${host}:${port} track ${backend}/${name}`).join('\n')
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
