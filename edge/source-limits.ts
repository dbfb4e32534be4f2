// How much of the edge one source may occupy, and how the edge makes room when it fills. HAProxy's words; pure.

/** A source is one IPv4 address, or one /64 network of IPv6: what one customer of a provider has. */
export interface SourceLimits {
  /** Connections that are no WebSocket: idle ones, requests under way, and those that have sent nothing yet. */
  connections: number
  /** WebSockets. */
  sockets: number
  /** New connections in {@link arrivalSeconds}. */
  arrivals: number
  /** Ten where it is left out. */
  arrivalSeconds?: number
}

export interface LimitRules {
  /** For the frontend. */
  atArrival: string
  /** For both backends. */
  atRequest: string
  /** For the gateways' backend. */
  atSocket: string
  tables: string
}

/** IPv4 addresses are whole, IPv6 ones their network. */
const SOURCE = 'src,ipmask(32,64)'
/** Over how long new connections are counted. */
const ARRIVAL_SECONDS = 10
/** How long a client's connection may be idle, where nothing is said against it. */
export const KEEP_ALIVE_SECONDS = 20
/** Some 100 bytes each, taken as sources appear; beyond it the oldest that has no connection is forgotten. */
const MOST_SOURCES = '100k'

/**
 * A quarter of the places without, three quarters with a WebSocket: the users of a company behind one address hold one
 * socket each and idle connections for seconds. All of them may come back in ten seconds, as after the loss of a gateway.
 */
export function defaultSourceLimits(maxConnections: number): SourceLimits {
  return {
    connections: Math.max(Math.floor(maxConnections / 4), 1),
    sockets: Math.max(Math.floor((maxConnections * 3) / 4), 1),
    arrivals: maxConnections,
  }
}

/** `limits` is null where all that arrives comes from a proxy, which must limit its clients itself. */
export function sourceLimitRules(maxConnections: number, limits: SourceLimits | null): LimitRules {
  const pressure = pressureRules(maxConnections)
  if (limits === null) return { atArrival: '', atRequest: pressure, atSocket: '', tables: '' }
  const { connections, sockets, arrivals, arrivalSeconds = ARRIVAL_SECONDS } = limits
  return {
    atArrival: lines(
      '# One source can take its own share of the places alone. A refusal here costs neither TLS nor memory.',
      `tcp-request connection track-sc0 ${SOURCE} table sources`,
      `tcp-request connection set-var(sess.sockets) ${SOURCE},table_conn_cur(sockets)`,
      `tcp-request connection reject if { sc0_conn_rate gt ${arrivals} }`,
      `tcp-request connection reject if { sc0_conn_cur,sub(sess.sockets) gt ${connections} }`,
      '',
    ),
    atRequest: [
      lines(
        '# At half of its share, a source keeps no idle connections any more; its sockets stay.',
        `http-request set-var(txn.sockets) ${SOURCE},table_conn_cur(sockets)`,
        `http-request set-var(txn.crowded) bool(true) if { sc0_conn_cur,sub(txn.sockets) gt ${Math.floor(connections / 2)} }`,
      ),
      pressure,
    ].join('\n'),
    atSocket: lines(
      `http-request track-sc1 ${SOURCE} table sockets if { req.fhdr(upgrade) -m str -i websocket }`,
      `http-request deny deny_status 429 if { sc1_conn_cur gt ${sockets} }`,
    ),
    tables: [
      '# What each source holds; nothing is ever led here.',
      `backend sources from base\n  stick-table type ipv6 size ${MOST_SOURCES} expire 1m store conn_cur,conn_rate(${arrivalSeconds}s)`,
      `backend sockets from base\n  stick-table type ipv6 size ${MOST_SOURCES} expire 1m store conn_cur`,
    ].join('\n\n'),
  }
}

/**
 * Whatever the sources: above half of the places without a socket, idle connections are closed after their answer; above
 * three quarters new requests are refused, so that the last quarter is left to sockets and those who ask for one.
 */
function pressureRules(maxConnections: number): string {
  return lines(
    'http-request set-var(txn.at_gateways) be_conn(gateways)',
    `http-request set-var(txn.crowded) bool(true) if { fe_conn(public),sub(txn.at_gateways) gt ${Math.floor(maxConnections / 2)} }`,
    `http-request set-var(txn.full) bool(true) if { fe_conn(public),sub(txn.at_gateways) gt ${Math.floor((maxConnections * 3) / 4)} }`,
    'http-request deny deny_status 503 if { var(txn.full) -m found } !{ req.fhdr(upgrade) -m str -i websocket }',
    // Servers name their own time, which is that of their connections to the edge.
    'http-after-response del-header Keep-Alive',
    `http-after-response set-header Keep-Alive timeout=${KEEP_ALIVE_SECONDS} if !{ var(txn.crowded) -m found } !{ status 101 }`,
    'http-after-response set-header Connection close if { var(txn.crowded) -m found } !{ status 101 }',
  )
}

function lines(...texts: string[]): string {
  return texts.map((text) => (text === '' ? '' : `  ${text}`)).join('\n')
}
