import { randomUUID } from 'node:crypto'
import { connect as connectTcp } from 'node:net'
import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import type { ErrorBody } from '../../core/protocol/errors.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import {
  ApiClient,
  type ApiResponse,
  createUser,
  type RequestOptions,
  ring,
  type TestUser,
} from '../support/api-client.ts'
import { privateCluster, sharedCluster } from '../support/clusters.ts'
import { assertMatches } from '../support/openapi-contract.ts'
import { mintToken } from '../support/tokens.ts'

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

  function expectError(answer: ApiResponse<unknown>, status: number, code: string): void {
    expect([answer.status, answer.error?.code], answer.text).to.deep.equal([status, code])
    const envelope = answer.body as ErrorBody
    expect(envelope.request_id).to.equal(answer.headers.get('x-request-id'))
    expect(Math.abs(Date.now() - Date.parse(envelope.timestamp))).to.be.below(60_000)
    expect(answer.headers.get('content-type')).to.match(/^application\/json/)
    expect(answer.headers.get('x-powered-by')).to.equal(null)
  }

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

  describe('bodies', () => {
    const malformed: [string, string | Uint8Array][] = [
      ['half an object', '{"caller_id":'],
      ['nothing but a space', ' '],
      ['two objects', '{}{}'],
      ['a number that is none', '{"a":01}'],
      ['not UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
      ['UTF-16', Buffer.from('{"a":1}', 'utf16le')],
      ['zero bytes', '\u0000\u0000'],
      ['very deep', '['.repeat(30_000)],
      ['very deep and closed', '['.repeat(30_000) + ']'.repeat(30_000)],
    ]
    for (const [what, body] of malformed) {
      it(`refuses ${what}`, async () => {
        const headers = { 'idempotency-key': 'key' }

        expectError(await user().api.request('POST', INITIATE, { body, headers }), 400, 'INVALID_REQUEST')
      })
    }

    const wrong: [string, unknown, string, string][] = [
      ['an array', [], 'INVALID_REQUEST', 'body'],
      ['null', null, 'INVALID_REQUEST', 'body'],
      ['a string', 'call', 'INVALID_REQUEST', 'body'],
      ['a number', 7, 'INVALID_REQUEST', 'body'],
      ['no field at all', {}, 'INVALID_CALL_TYPE', 'call_type'],
      ['a caller_id that is none', { caller_id: 'x' }, 'INVALID_REQUEST', 'caller_id'],
      ['a caller_id of another type', { caller_id: 12 }, 'INVALID_REQUEST', 'caller_id'],
      ['a callee_id with SQL', { callee_id: "'; DROP TABLE calls" }, 'INVALID_REQUEST', 'callee_id'],
      ['a callee_id with a line break', { callee_id: `${randomUUID()}\n` }, 'INVALID_REQUEST', 'callee_id'],
      ['a callee_id that is an object', { callee_id: { $gt: '' } }, 'INVALID_REQUEST', 'callee_id'],
      ['no callee_id', { callee_id: undefined }, 'INVALID_REQUEST', 'callee_id'],
      ['an unknown call_type', { call_type: 'fax' }, 'INVALID_CALL_TYPE', 'call_type'],
      ['a call_type in upper case', { call_type: 'VOICE' }, 'INVALID_CALL_TYPE', 'call_type'],
      ['a call_type that is null', { call_type: null }, 'INVALID_CALL_TYPE', 'call_type'],
      ['a call_type beside other faults', { call_type: 1, caller_id: 1 }, 'INVALID_CALL_TYPE', 'call_type'],
    ]
    for (const [what, change, code, field] of wrong) {
      it(`refuses ${what}`, async () => {
        const someone = user()
        const valid = { caller_id: someone.id, callee_id: randomUUID(), call_type: 'voice' }
        const isChange = typeof change === 'object' && change !== null && !Array.isArray(change)
        const body = isChange ? (Object.keys(change).length > 0 ? { ...valid, ...change } : {}) : change

        const refused = await someone.api.request('POST', INITIATE, { body: JSON.stringify(body) })

        expectError(refused, 400, code)
        expect(refused.error?.details?.field).to.equal(field)
        expect(refused.error?.details?.fields).to.be.an('array').that.is.not.empty
      })
    }

    it('names every field that is wrong', async () => {
      const refused = await user().api.request('POST', INITIATE, { body: { call_type: 'voice' } })

      const fields = refused.error?.details?.fields as { field: string }[]
      expect(fields.map(({ field }) => field)).to.deep.equal(['caller_id', 'callee_id'])
    })

    it('refuses a user who calls himself', async () => {
      const someone = user()

      const refused = await someone.api.initiate({ caller_id: someone.id, callee_id: someone.id.toUpperCase() })

      expectError(refused, 400, 'INVALID_REQUEST')
      expect(refused.error?.details?.field).to.equal('callee_id')
    })

    it('refuses other content types, and none', async () => {
      const someone = user()
      const body = JSON.stringify({ status: 'online' })
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', '', 'nonsense'])
        expectError(
          await someone.api.request('PUT', PRESENCE, { body, headers: { 'content-type': type } }),
          415,
          'INVALID_REQUEST',
        )
      const latin = { 'content-type': 'application/json; charset=iso-8859-1' }
      expectError(await someone.api.request('PUT', PRESENCE, { body, headers: latin }), 415, 'INVALID_REQUEST')
      expectError(await someone.api.request('PUT', PRESENCE), 415, 'INVALID_REQUEST')
    })

    it('takes application/json however it is written', async () => {
      const body = JSON.stringify({ status: 'online' })
      for (const type of ['Application/JSON', 'application/json;charset=UTF-8', 'application/json; charset="utf-8"']) {
        const taken = await user().api.request('PUT', PRESENCE, { body, headers: { 'content-type': type } })
        expect(taken.status).to.equal(200)
      }
    })

    it('takes 64 KiB and refuses one byte more', async () => {
      const someone = user()
      const frame = JSON.stringify({ status: 'online', padding: '' }).length
      const bodyOf = (bytes: number) => JSON.stringify({ status: 'online', padding: 'x'.repeat(bytes - frame) })

      expect((await someone.api.request('PUT', PRESENCE, { body: bodyOf(65_536) })).status).to.equal(200)
      expectError(await someone.api.request('PUT', PRESENCE, { body: bodyOf(65_537) }), 413, 'INVALID_REQUEST')
    })

    it('counts a compressed body by what it becomes', async () => {
      const someone = user()
      const put = (text: string, encoding: string) =>
        someone.api.request('PUT', PRESENCE, { body: gzipSync(text), headers: { 'content-encoding': encoding } })

      expect((await put('{"status":"online"}', 'gzip')).status).to.equal(200)
      expectError(await put(JSON.stringify({ a: 'x'.repeat(10_000_000) }), 'gzip'), 413, 'INVALID_REQUEST')
      expectError(await put('{"status":"online"}', 'zstd-of-tomorrow'), 415, 'INVALID_REQUEST')
      expectError(
        await someone.api.request('PUT', PRESENCE, { body: 'no gzip', headers: { 'content-encoding': 'gzip' } }),
        400,
        'INVALID_REQUEST',
      )
    })

    const devices = ['', 'x'.repeat(129), 'a\u0000b', 'a\nb', 7, {}]
    for (const device of devices) {
      it(`refuses the device_id ${JSON.stringify(device).slice(0, 20)}`, async () => {
        const someone = user()
        const body = { user_id: someone.id, device_id: device }

        const refused = await someone.api.request('PUT', `/api/v1/calls/${randomUUID()}/answer`, { body })

        expectError(refused, 400, 'INVALID_REQUEST')
        expect(refused.error?.details?.field).to.equal('device_id')
      })
    }

    it('refuses a reason that is none, and a body for DELETE that is no object', async () => {
      const someone = user()
      const remove = (body: unknown) =>
        someone.api.request('DELETE', `/api/v1/calls/${randomUUID()}`, { body: JSON.stringify(body) })

      expect((await remove({ reason: 'bored' })).error?.details?.field).to.equal('reason')
      expect((await remove({ user_id: 'x' })).error?.details?.field).to.equal('user_id')
      expectError(await remove([]), 400, 'INVALID_REQUEST')
      expectError(await remove({}), 404, 'CALL_NOT_FOUND')
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
    const cases: [string, string, number | 'closed'][] = [
      ['no HTTP at all', 'hello\r\n\r\n', 400],
      ['a broken request line', 'GET\r\n\r\n', 400],
      ['a header without a colon', 'GET /health HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n', 400],
      [
        'both lengths',
        'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        400,
      ],
      ['a negative length', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n', 400],
      ['headers of 20 KB', `GET /health HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
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
