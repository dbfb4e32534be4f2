import { randomUUID } from 'node:crypto'
import { connect as connectTcp } from 'node:net'
import { expect } from 'chai'
import type { ErrorBody } from '../../core/protocol/errors.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { ApiClient, createUser, type RequestOptions, ring, type TestUser } from '../support/api-client.ts'
import { privateCluster, sharedCluster } from '../support/clusters.ts'
import { assertMatches } from '../support/openapi-contract.ts'
import { mintToken } from '../support/tokens.ts'
import { expectError } from './expect-error.ts'

const INITIATE = '/api/v1/calls/initiate'
const PRESENCE = '/api/v1/presence/status'
const TOO_LARGE = JSON.stringify({ padding: 'x'.repeat(64 * 1024) })

describe('errors over HTTP', () => {
  let cluster: Cluster
  let pids: (number | null)[]
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
    pids = [cluster.api(0).pid, cluster.api(1).pid]
  })
  after('no process ended for any of this', () => {
    expect([cluster.api(0).pid, cluster.api(1).pid]).to.deep.equal(pids)
  })
  const user = (): TestUser => createUser(cluster.api(0).url, cluster.jwtSecret)

  describe('the envelope', () => {
    it('carries the request id of the client if it is a UUID, else a new one', async () => {
      const requestId = randomUUID()

      const named = await user().api.request('GET', '/nowhere', { headers: { 'x-request-id': requestId } })
      const unnamed = await user().api.request('GET', '/nowhere', { headers: { 'x-request-id': 'my request' } })

      expect((named.body as ErrorBody).request_id).to.equal(requestId)
      expectError(named, 404, 'NOT_FOUND')
      expect((unnamed.body as ErrorBody).request_id).not.to.equal('my request')
      expectError(unnamed, 404, 'NOT_FOUND')
    })

    it('is there for unknown paths, with and without a token', async () => {
      const paths = ['/nowhere', '/api', '/api/v1', '/api/v2/calls/initiate', '/api/v1/calls', '/api/v1/calls/a/b/c']
      for (const path of [...paths, '/api/v1/Calls/initiate', '/metrics', '/health/live', '/health/ready', '/.env']) {
        expectError(await user().api.request('GET', path), 404, 'NOT_FOUND')
        expectError(await new ApiClient(cluster.api(0).url).request('GET', path), 404, 'NOT_FOUND')
      }
    })

    it('is there for unknown methods, with the known ones', async () => {
      const id = randomUUID()
      const cases: [string, string, string][] = [
        ['GET', INITIATE, 'POST, OPTIONS'],
        ['DELETE', INITIATE, 'POST, OPTIONS'],
        ['PATCH', INITIATE, 'POST, OPTIONS'],
        ['POST', `/api/v1/calls/${id}`, 'DELETE, OPTIONS'],
        ['POST', `/api/v1/calls/${id}/answer`, 'PUT, OPTIONS'],
        ['PUT', `/api/v1/calls/${id}/status`, 'GET, HEAD, OPTIONS'],
        ['POST', `/api/v1/calls/user/${id}/history`, 'GET, HEAD, OPTIONS'],
        ['GET', PRESENCE, 'PUT, OPTIONS'],
        ['PUT', `${PRESENCE}/${id}`, 'GET, HEAD, OPTIONS'],
        ['POST', '/health', 'GET, HEAD, OPTIONS'],
      ]
      for (const [method, path, allowed] of cases) {
        const refused = await new ApiClient(cluster.api(0).url).request(method, path)
        expectError(refused, 405, 'INVALID_REQUEST')
        expect(refused.headers.get('allow')).to.equal(allowed)
      }
    })

    it('is there for a path that cannot be decoded', async () => {
      expectError(await user().api.request('GET', '/api/v1/calls/%E0%A4%A/status'), 400, 'INVALID_REQUEST')
    })

    it('answers HEAD without a body, like GET', async () => {
      const someone = user()
      const head = await someone.api.request('HEAD', `/api/v1/calls/user/${someone.id}/active`)

      expect([head.status, head.text]).to.deep.equal([200, ''])
    })
  })

  describe('the order of checks', () => {
    /** Everything is wrong with the first; each next repairs what the one before was refused for. */
    it('path, method, token, content type, size, limit, values, existence, permission, state', async () => {
      const [caller, callee, other] = [user(), user(), user()]
      const over = await ring(caller, callee)
      await caller.api.end(over)
      const anonymous = new ApiClient(cluster.api(0).url)
      const text = { 'content-type': 'text/plain' }
      const put = (api: ApiClient, id: string, options: RequestOptions) =>
        api.request('PUT', `/api/v1/calls/${id}/answer`, options)

      expectError(await anonymous.request('PATCH', '/api/v1/calls/x/answers', { body: '{' }), 404, 'NOT_FOUND')
      expectError(await anonymous.request('PATCH', '/api/v1/calls/x/answer', { body: '{' }), 405, 'INVALID_REQUEST')
      expectError(await put(anonymous, 'x', { body: TOO_LARGE, headers: text }), 401, 'UNAUTHORIZED')
      expectError(await put(other.api, 'x', { body: TOO_LARGE, headers: text }), 415, 'INVALID_REQUEST')
      expectError(await put(other.api, 'x', { body: TOO_LARGE }), 413, 'INVALID_REQUEST')
      expectError(await put(other.api, 'x', { body: '{' }), 400, 'INVALID_REQUEST')
      expectError(await put(other.api, randomUUID(), { body: { user_id: 'x' } }), 400, 'INVALID_REQUEST')
      expectError(await put(other.api, randomUUID(), { body: { user_id: callee.id } }), 404, 'CALL_NOT_FOUND')
      expectError(await put(other.api, over, { body: { user_id: callee.id } }), 403, 'FORBIDDEN')
      expectError(await put(callee.api, over, { body: { user_id: callee.id } }), 409, 'CALL_ALREADY_ENDED')
    })

    it('a limit that is reached hides wrong values, but not a wrong content type or size', async () => {
      const someone = user()
      for (let index = 0; index < 10; index++) await someone.api.request('POST', INITIATE, { body: '{' })
      const post = (options: RequestOptions) => someone.api.request('POST', INITIATE, options)

      expectError(await post({ body: 'x', headers: { 'content-type': 'text/plain' } }), 415, 'INVALID_REQUEST')
      expectError(await post({ body: TOO_LARGE }), 413, 'INVALID_REQUEST')
      expectError(await post({ body: '{' }), 429, 'RATE_LIMITED')
    })

    it('a replay is answered even where the limit is reached', async () => {
      const someone = user()
      const body = { caller_id: someone.id, callee_id: randomUUID() }
      await someone.api.initiate(body, 'key')
      for (let index = 0; index < 10; index++) await someone.api.request('POST', INITIATE, { body: '{' })

      expectError(await someone.api.initiate(body), 429, 'RATE_LIMITED')
      expect((await someone.api.initiate(body, 'key')).status).to.equal(201)
    })

    it('wrong values come before somebody else’s id', async () => {
      const someone = user()

      expectError(
        await someone.api.request('POST', INITIATE, { body: { caller_id: randomUUID(), callee_id: randomUUID() } }),
        400,
        'INVALID_CALL_TYPE',
      )
      expectError(await someone.api.history(randomUUID(), { limit: 0 }), 400, 'INVALID_REQUEST')
    })
  })

  it('refuses ids in paths that are no UUIDs', async () => {
    const someone = user()
    const ids = ['x', '1', 'null', randomUUID().slice(1), `${randomUUID()}0`, '%00', '..%2f..%2fetc', "'%20OR%201=1"]
    for (const id of ids) {
      for (const path of [
        `/api/v1/calls/${id}/status`,
        `/api/v1/calls/user/${id}/active`,
        `/api/v1/calls/user/${id}/history`,
        `/api/v1/presence/status/${id}`,
        `/api/v1/presence/check/${id}`,
      ])
        expectError(await someone.api.request('GET', path), 400, 'INVALID_REQUEST')
      expectError(await someone.api.request('DELETE', `/api/v1/calls/${id}`), 400, 'INVALID_REQUEST')
    }
  })

  describe('bytes that are hardly HTTP', () => {
    const token = () => mintToken(cluster.jwtSecret, { sub: randomUUID() })
    const cases: [string, string, number][] = [
      ['no HTTP at all', 'hello\r\n\r\n', 400],
      ['a broken request line', 'GET\r\n\r\n', 400],
      ['a header without a colon', 'GET /health HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n', 400],
      [
        'both lengths',
        'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        400,
      ],
      ['a negative length', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n', 400],
      ['headers of 80 KB', `GET /health HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(80_000)}\r\n\r\n`, 431],
    ]
    for (const [what, bytes, status] of cases) {
      it(`refuses ${what} with the envelope`, async () => {
        const answer = await exchange(cluster.api(0).port, bytes)

        expect(answer.split(' ')[1]).to.equal(String(status))
        assertMatches('ErrorEnvelope', JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)))
        expect(answer).to.match(/x-request-id: [0-9a-f-]{36}/i)
      })
    }

    it('survives a client that goes away in the middle of its body', async () => {
      const { port } = cluster.api(0)
      const head = `PUT ${PRESENCE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token()}\r\n`
      await Promise.all(
        Array.from({ length: 10 }, () =>
          leave(port, `${head}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"status":`),
        ),
      )

      expect((await user().api.health()).status).to.equal(200)
    })
  })

  describe('a fault of ours', () => {
    let own: Cluster
    before(async function () {
      this.timeout(60_000)
      own = await privateCluster({ gateways: 0, workers: 0, edge: false })
    })
    after(() => own.stop())

    it('is INTERNAL_ERROR and tells nothing of itself', async () => {
      const someone = createUser(own.api(0).url, own.jwtSecret)
      const { Client } = await import('pg')
      const database = new Client({ connectionString: own.description.postgres.url })
      await database.connect()
      await database.query('ALTER TABLE user_presence RENAME TO user_presence_elsewhere')
      await database.end()

      const failed = await someone.api.presence(someone.id)

      expectError(failed, 500, 'INTERNAL_ERROR')
      expect(failed.error).to.deep.equal({ code: 'INTERNAL_ERROR', message: 'Internal server error' })
    })
  })
})

/** Sends bytes and reads until the server closes. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1', () => socket.write(bytes))
    let answer = ''
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no end of: ${answer}`)))
    socket.setEncoding('utf8').on('data', (text) => {
      answer += text
    })
    socket.once('error', reject)
    socket.once('close', () => resolve(answer))
  })
}

/** Sends half a request and cuts the connection. */
function leave(port: number, bytes: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1', () => socket.write(bytes, () => socket.resetAndDestroy()))
    socket.once('error', reject)
    socket.once('close', () => resolve())
  })
}
