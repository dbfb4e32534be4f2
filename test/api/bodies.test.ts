import { randomUUID } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { createUser, ring, type TestUser } from '../support/api-client.ts'
import { sharedCluster } from '../support/clusters.ts'
import { expectError } from './expect-error.ts'

const INITIATE = '/api/v1/calls/initiate'
const PRESENCE = '/api/v1/presence/status'

describe('malformed bodies over HTTP', () => {
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

  it('takes a chunked request without a body for one without a body, wherever a body is optional', async () => {
    const [caller, callee] = [user(), user()]
    const callId = await ring(caller, callee)

    const rung = await chunked(callee, 'POST', `/api/v1/calls/${callId}/ringing`)
    const wrong = await chunked(caller, 'DELETE', `/api/v1/calls/${callId}`, 'reason=timeout')
    const ended = await chunked(caller, 'DELETE', `/api/v1/calls/${callId}`)
    const backend = createUser(cluster.api(0).url, cluster.jwtSecret, { scope: 'calls:manage' })
    const replayed = await chunked(backend, 'POST', '/api/v1/webhooks/dead-letters/replay')

    expect([rung, wrong, ended, replayed].map(({ status }) => status)).to.deep.equal([200, 415, 200, 202])
    expect(ended.text).to.contain('"canceled"')
    // Where one is needed, there is none.
    expect((await chunked(caller, 'POST', INITIATE)).status).to.equal(415)
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

/** As proxies send it: `Transfer-Encoding: chunked`, no content type, and nothing in it unless a body is given. */
function chunked(
  { api, token }: TestUser,
  method: string,
  path: string,
  body = '',
): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, 'transfer-encoding': 'chunked' }
    const request = httpRequest(`${api.baseUrl}${path}`, { method, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.once('end', () => resolve({ status: response.statusCode, text }))
    })
    request.once('error', reject)
    request.end(body)
  })
}
