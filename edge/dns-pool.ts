// Servers that come and go by themselves: whatever a name stands for at the moment, as in compose and Kubernetes.
import { REFUSED } from './render.ts'

/** The processes behind one name, all alike. */
export interface EdgePool {
  /** A name whose addresses are all processes: a headless service of Kubernetes, a service of compose. Fully qualified. */
  host: string
  port: number
  /** Their internal listener, which answers /health/ready. */
  checkPort: number
  /** How many there may be at most; each reserved place costs some memory and nothing else. */
  slots: number
}

/** The `resolvers` section that the servers of a pool refer to. */
const RESOLVERS = 'cluster'

/**
 * The template with these pools where it takes lists of servers, to be rendered with empty lists.
 * @throws where it has no such place
 */
export function withPools(template: string, pools: { apis: EdgePool; gateways: EdgePool }): string {
  const places = {
    api_servers: poolServers('api', pools.apis),
    gateway_servers: poolServers('gateway', pools.gateways),
    malformed_servers: poolServers('api', pools.apis, ` ${REFUSED}`),
  }
  return Object.entries(places).reduce((text, [place, lines]) => {
    if (!text.includes(`{{${place}}}`)) throw new Error(`The edge's template has no place for ${place}`)
    return text.replace(`{{${place}}}`, () => `{{${place}}}\n${lines}`)
  }, template)
}

/**
 * The lines for a pool: its places are filled as names are looked up, once a second.
 *
 * Several edges fill their places in any order, so a place must not decide where its server stands on the hash ring: its
 * address does. A pod is named before it serves, so a new place counts as down until a check succeeds. Both need HAProxy
 * 3.1; an older one hashes by place, which is right for a single edge, and tries another server where one refuses.
 */
function poolServers(prefix: string, { host, port, checkPort, slots }: EdgePool, more = ''): string {
  // Without "init-addr none" a name that stands for nobody yet would keep HAProxy from starting.
  const server = `server-template ${prefix}- 1-${slots} ${host}:${port} check port ${checkPort} resolvers ${RESOLVERS} init-addr none${more}`
  return [
    '.if version_atleast(3.1)',
    `  ${server} hash-key addr init-state down`,
    '.else',
    `  ${server}`,
    '.endif',
  ].join('\n')
}

/**
 * What a configuration with pools needs besides the template: name servers, and an internal listener for probes and
 * Prometheus, which is never public.
 * `drainSeconds` is how long connections may live on after SIGUSR1, less than the orchestrator's patience; without
 * `nameserver` (address and port) the ones of the machine are asked.
 */
export function poolSections(options: { internalBind: string; drainSeconds: number; nameserver?: string }): string {
  const { internalBind, drainSeconds, nameserver } = options
  return `
# --- For containers: edge/dns-pool.ts ---

global
  # After SIGUSR1 nothing new is taken, and idle connections are closed. What is left at the end of this time is cut, and
  # resumes through another edge.
  hard-stop-after ${drainSeconds}s

resolvers ${RESOLVERS}
  ${nameserver === undefined ? 'parse-resolv-conf' : `nameserver given ${nameserver}`}
  # Without it an answer ends at 512 bytes, some thirty addresses.
  accepted_payload_size 8192
  resolve_retries 3
  timeout resolve 1s
  timeout retry 500ms
  # An address is asked for again each second, and one that is no longer named loses its place after some more: checks
  # have found it dead by then. A name server that is away, or errs, takes nobody's place.
  hold valid 1s
  hold obsolete 5s
  hold nx 10s
  hold other 1h
  hold refused 1h
  hold timeout 1h

frontend internal from base
  mode http
  bind ${internalBind}
  no log
  http-request return status 200 content-type text/plain string "alive\\n" if { path /health/live }
  # Ready with an API to send requests to; a gateway more or less is the gateways' business.
  http-request return status 200 content-type text/plain string "ready\\n" if { path /health/ready } { nbsrv(api) gt 0 }
  http-request return status 503 content-type text/plain string "unfit\\n" if { path /health/ready }
  http-request use-service prometheus-exporter if { path /metrics }
  http-request return status 404
`
}
