// Fills the edge's HAProxy template: who is behind it, where it listens, how much it may hold. Pure.

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

/**
 * The finished configuration.
 * @throws when the template and the settings do not fit: a place without a value, or a value without a place
 */
export function renderEdge(template: string, settings: EdgeSettings): string {
  const values: Record<string, string> = {
    bind: settings.bind,
    max_connections: String(settings.maxConnections),
    api_servers: serverLines(settings.apis),
    gateway_servers: serverLines(settings.gateways),
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

function serverLines(servers: EdgeServer[]): string {
  return servers
    .map(({ name, host, port, checkPort }) => `  server ${name} ${host}:${port} check port ${checkPort}`)
    .join('\n')
}

/**
 * How many client connections fit into a limit of open files: each takes two (client and server side), the rest is
 * for checks, listeners and the log.
 */
export function maxConnectionsFor(openFiles: number): number {
  return Math.max(50, Math.min(Math.floor(openFiles * 0.4), MOST_CONNECTIONS))
}

/** HAProxy allocates per connection slot at its start; this many cost it a few dozen megabytes. */
const MOST_CONNECTIONS = 50_000
