/** The REST half of a mock: the order of checks, the envelope of every error, and what the script says instead. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { envelopeOf, MockError } from '../errors.ts'
import { isUuid } from '../ids.ts'
import { identify, type Service } from '../service.ts'
import type { Identity } from '../tokens.ts'
import type { Body } from './fields.ts'
import type { Reply, Route } from './route.ts'

const MAX_BODY_BYTES = 64 * 1024
/** Who asks where no token is needed. */
const NOBODY: Identity = { userId: '', device: undefined, name: undefined, isManager: false, expiresAtMs: 0 }

export class HttpDoor {
  readonly #service: Service
  readonly #routes: Route[]

  constructor(service: Service, routes: Route[]) {
    this.#service = service
    this.#routes = routes
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const given = request.headers['x-request-id']
    const requestId = isUuid(given) ? given.toLowerCase() : randomUUID()
    const reply = await this.#replyTo(request).catch((error: unknown): Reply => this.#refusal(error, requestId))
    if (request.aborted) return
    response.writeHead(reply.status, {
      'Content-Type': 'application/json; charset=utf-8',
      'X-Request-Id': requestId,
      'Access-Control-Allow-Origin': '*',
      'Access-Control-Expose-Headers': '*',
      ...reply.headers,
    })
    response.end(JSON.stringify(reply.body))
  }

  async #replyTo(request: IncomingMessage): Promise<Reply> {
    const url = new URL(request.url ?? '/', 'http://mock')
    const method = request.method ?? 'GET'
    if (method === 'OPTIONS') return preflight(request)
    const { route, ids } = this.#find(method, url.pathname)
    const authorization = /^Bearer\s+(.*)$/i.exec(request.headers.authorization ?? '')?.[1]
    const identity = route.needsToken ? identify(this.#service, [authorization]) : NOBODY
    const body = await readBody(request, route)
    const { script } = this.#service
    script.record({ kind: 'request', userId: identity.userId, method, path: url.pathname, body })
    await script.beforeReply(method, url.pathname)
    return route.handle({ identity, ids, query: url.searchParams, body, headers: request.headers })
  }

  #find(method: string, pathname: string): { route: Route; ids: Record<string, string> } {
    if (pathname.startsWith('/ws/'))
      throw new MockError('INVALID_REQUEST', 'This path takes WebSocket upgrades', { status: 426 })
    const matches = this.#routes.flatMap((route) => {
      const ids = match(route.path, pathname)
      return ids === undefined ? [] : [{ route, ids }]
    })
    if (matches.length === 0) throw new MockError('NOT_FOUND', 'There is nothing at this path')
    const found = matches.find(({ route }) => route.method === method)
    if (found !== undefined) return found
    const allowed = matches.map(({ route }) => route.method).join(', ')
    throw new MockError('INVALID_REQUEST', `This path takes ${allowed}`, { status: 405, headers: { Allow: allowed } })
  }

  #refusal(error: unknown, requestId: string): Reply {
    const refused = error instanceof MockError ? error : new MockError('INTERNAL_ERROR', String(error))
    const challenge: Record<string, string> =
      refused.status === 401 ? { 'WWW-Authenticate': 'Bearer realm="calling"' } : {}
    const wait: Record<string, string> = refused.status === 503 ? { 'Retry-After': '1' } : {}
    const body = envelopeOf(refused, this.#service.clock, requestId)
    return { status: refused.status, body, headers: { ...challenge, ...wait, ...refused.headers } }
  }
}

function preflight({ headers }: IncomingMessage): Reply {
  const asked = headers['access-control-request-headers'] ?? '*'
  const methods = 'GET, POST, PUT, DELETE'
  return {
    status: 200,
    body: {},
    headers: { 'Access-Control-Allow-Headers': asked, 'Access-Control-Allow-Methods': methods },
  }
}

function match(pattern: string, pathname: string): Record<string, string> | undefined {
  const [wanted, given] = [pattern.split('/'), pathname.split('/')]
  if (wanted.length !== given.length) return undefined
  const ids: Record<string, string> = {}
  for (const [index, part] of wanted.entries()) {
    const name = /^\{(\w+)\}$/.exec(part)?.[1]
    if (name !== undefined) ids[name] = given[index] ?? ''
    else if (part !== given[index]) return undefined
  }
  return ids
}

async function readBody(request: IncomingMessage, route: Route): Promise<Body> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk as Buffer)
  }
  const type = request.headers['content-type']
  if (bytes > 0 && !/^application\/json(;\s*charset="?utf-8"?)?$/i.test(type ?? ''))
    throw new MockError('INVALID_REQUEST', 'The body must be application/json', { status: 415 })
  if (bytes > MAX_BODY_BYTES) throw new MockError('INVALID_REQUEST', 'The body is too large', { status: 413 })
  if (bytes === 0 && route.needsBody !== true) return {}
  return parseBody(Buffer.concat(chunks).toString())
}

function parseBody(text: string): Body {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new MockError('INVALID_REQUEST', 'The body is no JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new MockError('INVALID_REQUEST', 'The body must be an object')
  return value as Body
}
