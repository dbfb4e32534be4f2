/** Which values of `Origin` may open sockets and read answers: those that are listed, and the service's own. */

const DEFAULT_PORTS: Record<string, string> = { 'http:': '80', 'https:': '443' }
const SOCKET_SCHEMES: Record<string, string> = { 'http:': 'ws:', 'https:': 'wss:' }

/**
 * A value that `CORS_ORIGINS` takes: a web origin exactly as browsers send it, an application's own scheme
 * (`capacitor://localhost`), `file://`, `null` (RFC 6454 section 7.1: an opaque origin), or `*`.
 */
export function isOriginPattern(text: string): boolean {
  if (text === '*' || text === 'null' || text === 'file://') return true
  if (/^https?:/i.test(text)) return URL.canParse(text) && new URL(text).origin === text
  return /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#,"'\\%]+$/.test(text)
}

/**
 * The list, and every way in which clients write the origin of the service itself: stacks that are no browser send the
 * address that they connect to, with `https` (SocketRocket, OkHttp and so React Native) or `wss` (Starscream), and some
 * with the default port.
 */
export function allowedOrigins(listed: string[], publicUrls: string[]): string[] {
  if (listed.includes('*')) return ['*']
  return [...new Set([...listed, ...publicUrls.flatMap(spellingsOf)])]
}

/** Scheme and host go by any letter case (RFC 6454 section 4); native stacks send the address as they were given it. */
export function isAllowedOrigin(allowed: readonly string[], origin: string): boolean {
  return allowed.includes('*') || allowed.includes(origin) || allowed.includes(origin.toLowerCase())
}

function spellingsOf(publicUrl: string): string[] {
  const { protocol, hostname, port } = new URL(publicUrl)
  const hosts = port === '' ? [hostname, `${hostname}:${DEFAULT_PORTS[protocol]}`] : [`${hostname}:${port}`]
  return [protocol, SOCKET_SCHEMES[protocol] ?? protocol].flatMap((scheme) => hosts.map((host) => `${scheme}//${host}`))
}
