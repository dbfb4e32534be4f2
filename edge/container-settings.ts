// The edge of compose and Kubernetes: the same template, with servers found by name. Settings are EDGE_… variables.
import { poolSections, withPools } from './dns-pool.ts'
import { type EdgeTls, renderEdge } from './render.ts'
import { defaultSourceLimits, type SourceLimits } from './source-limits.ts'

/** Every variable with its default; one without a default must be given. */
export const EDGE_VARIABLES = {
  /** As HAProxy's `bind` takes it. */
  EDGE_BIND: ':8093',
  EDGE_INTERNAL_BIND: ':8404',
  /** Fully qualified names; each address behind them is one process. */
  EDGE_API_HOST: undefined,
  EDGE_GATEWAY_HOST: undefined,
  EDGE_API_SLOTS: '16',
  EDGE_GATEWAY_SLOTS: '64',
  EDGE_MAX_CONNECTIONS: '20000',
  /**
   * What one source may hold: connections that are no WebSocket, WebSockets, and new connections in ten seconds. Empty: a
   * quarter, three quarters and all of EDGE_MAX_CONNECTIONS. EDGE_SOURCE_CONNECTIONS=0 takes all three limits away, for
   * an edge behind a proxy, whose clients all have its address.
   */
  EDGE_SOURCE_CONNECTIONS: '',
  EDGE_SOURCE_SOCKETS: '',
  EDGE_SOURCE_ARRIVALS: '',
  /** As the API and the gateways have it, so that pages can read what the edge answers itself. Empty: its own alone. */
  CORS_ORIGINS: '',
  /** Seconds that connections may live on after SIGUSR1. */
  EDGE_DRAIN_SECONDS: '30',
  /** A PEM file with certificate, chain and key, or a folder of them, as the edge sees it; empty: plain HTTP. */
  EDGE_TLS_CERTIFICATE: '',
  /** For how long browsers must refuse plain HTTP to this host (HSTS); 0 says nothing. */
  EDGE_STRICT_TRANSPORT_SECONDS: '0',
} as const satisfies Record<string, string | undefined>

type Name = keyof typeof EDGE_VARIABLES

/** As in .env.example: where the processes listen, and their probes. */
const PORTS = { api: { port: 8081, checkPort: 9101 }, gateway: { port: 8082, checkPort: 9102 } }

/**
 * The finished configuration.
 * @throws with a sentence that names the variable that is missing or wrong
 */
export function renderForContainers(template: string, env: Record<string, string | undefined>): string {
  const apis = { host: host('EDGE_API_HOST', env), slots: count('EDGE_API_SLOTS', env, 1_000), ...PORTS.api }
  const gateways = {
    host: host('EDGE_GATEWAY_HOST', env),
    slots: count('EDGE_GATEWAY_SLOTS', env, 1_000),
    ...PORTS.gateway,
  }
  const maxConnections = count('EDGE_MAX_CONNECTIONS', env, 1_000_000)
  const config = renderEdge(withPools(template, { apis, gateways }), {
    bind: bind('EDGE_BIND', env),
    tls: tls(env),
    maxConnections,
    sourceLimits: sourceLimits(maxConnections, env),
    origins: origins(env),
    apis: [],
    gateways: [],
  })
  const internalBind = bind('EDGE_INTERNAL_BIND', env)
  return config + poolSections({ internalBind, drainSeconds: count('EDGE_DRAIN_SECONDS', env, 86_400) })
}

function sourceLimits(maxConnections: number, env: Record<string, string | undefined>): SourceLimits | null {
  if (value('EDGE_SOURCE_CONNECTIONS', env) === '0') return null
  const usual = defaultSourceLimits(maxConnections)
  const given = (name: Name, fallback: number) => (value(name, env) === '' ? fallback : count(name, env, 1_000_000))
  return {
    connections: given('EDGE_SOURCE_CONNECTIONS', usual.connections),
    sockets: given('EDGE_SOURCE_SOCKETS', usual.sockets),
    arrivals: given('EDGE_SOURCE_ARRIVALS', usual.arrivals),
  }
}

/** The API refuses to start with a wrong list; here a word more in a line would be a setting. */
function origins(env: Record<string, string | undefined>): string[] {
  const listed = value('CORS_ORIGINS', env)
    .split(',')
    .map((origin) => origin.trim())
    .filter((origin) => origin !== '')
  if (!listed.every((origin) => /^[\w*][\w+.:/[\]*-]*$/.test(origin)))
    throw new Error('CORS_ORIGINS must be * or a comma-separated list of origins.')
  return listed
}

function tls(env: Record<string, string | undefined>): EdgeTls | undefined {
  const certificate = value('EDGE_TLS_CERTIFICATE', env)
  const seconds = value('EDGE_STRICT_TRANSPORT_SECONDS', env)
  if (!/^\d{1,10}$/.test(seconds)) throw new Error('EDGE_STRICT_TRANSPORT_SECONDS must be a whole number of seconds.')
  if (certificate === '') return undefined
  // A word more in its line would be a setting.
  if (!/^\/[\w./-]+$/.test(certificate)) throw new Error('EDGE_TLS_CERTIFICATE must be an absolute path.')
  return { certificate, strictTransportSeconds: Number(seconds) }
}

function value(name: Name, env: Record<string, string | undefined>): string {
  const given = env[name]?.trim() || EDGE_VARIABLES[name]
  if (given === undefined) throw new Error(`${name} must be set.`)
  return given
}

function count(name: Name, env: Record<string, string | undefined>, max: number): number {
  const text = value(name, env)
  if (!/^[1-9]\d*$/.test(text) || Number(text) > max)
    throw new Error(`${name} must be a whole number from 1 to ${max}.`)
  return Number(text)
}

function host(name: Name, env: Record<string, string | undefined>): string {
  const text = value(name, env)
  // HAProxy adds no search domain, and a word more in its line would be a setting.
  if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(text)) throw new Error(`${name} must be the name of a host.`)
  return text
}

function bind(name: Name, env: Record<string, string | undefined>): string {
  const text = value(name, env)
  if (!/^\S*:\d+$/.test(text)) throw new Error(`${name} must be an address and a port, such as :8093.`)
  return text
}
