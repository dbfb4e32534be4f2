/** Every entry point reads and judges a credential the same way: REST, raw WebSocket, and Socket.IO by auth, query and header. */
import { createHmac, randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { io } from 'socket.io-client'
import { WebSocket } from 'ws'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newUser, openChannel } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS } from '../support/connect-peer.ts'
import { nowSeconds } from '../support/tokens.ts'

const HANDSHAKE_DEADLINE_MS = 20_000

describe('credentials at every entry point', () => {
  let cluster: Cluster
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  /** Of a user of their own: what an earlier connection leaves behind counts for nobody else. */
  const claims = () => ({ sub: randomUUID(), exp: nowSeconds() + 600 })
  const good = () => sign(claims())
  const sign = (payload: object, header: object = {}) => signed(cluster.jwtSecret, payload, header)

  /** 200 or 401, with the challenge. */
  async function rest(authorization: string): Promise<string> {
    const response = await fetch(`${cluster.api(0).url}/api/v1/webrtc/ice-servers`, {
      headers: { authorization },
    })
    await response.arrayBuffer()
    return response.status === 401 ? `401 ${response.headers.get('www-authenticate')}` : String(response.status)
  }

  /** The same for a user channel by raw WebSocket: 200 where it opens. */
  function raw(query: string, authorization?: string): Promise<string> {
    const headers = authorization === undefined ? {} : { authorization }
    const socket = new WebSocket(`${cluster.gateway(0).url.replace('http', 'ws')}/ws/events?${query}`, { headers })
    return new Promise<string>((resolve, reject) => {
      socket.on('open', () => resolve('200'))
      socket.on('unexpected-response', (_request, response) => {
        response.resume()
        resolve(`${response.statusCode} ${response.headers['www-authenticate']}`)
      })
      socket.on('error', reject)
    }).finally(() => socket.terminate())
  }

  /** The same by Socket.IO, which has no headers for a refusal. */
  function socketIo(options: {
    auth?: object
    query?: Record<string, string>
    authorization?: string
  }): Promise<string> {
    const { auth, query, authorization } = options
    const socket = io(cluster.gateway(0).url, {
      forceNew: true,
      reconnection: false,
      transports: ['websocket'],
      timeout: HANDSHAKE_DEADLINE_MS,
      ...(auth === undefined ? {} : { auth }),
      ...(query === undefined ? {} : { query }),
      ...(authorization === undefined ? {} : { extraHeaders: { authorization } }),
    })
    return new Promise<string>((resolve) => {
      socket.on('connect', () => resolve('200'))
      socket.on('connect_error', (error: Error & { data?: { code: string } }) =>
        resolve(error.data?.code === 'UNAUTHORIZED' ? '401' : error.message),
      )
    }).finally(() => socket.disconnect())
  }

  /** The answers of all entry points to one token, without their challenges. */
  const everywhere = (token: string) =>
    Promise.all([
      rest(`Bearer ${token}`).then((answer) => answer.slice(0, 3)),
      raw(`token=${encodeURIComponent(token)}`).then((answer) => answer.slice(0, 3)),
      raw('', `Bearer ${token}`).then((answer) => answer.slice(0, 3)),
      socketIo({ auth: { token } }),
      socketIo({ query: { token } }),
      socketIo({ authorization: `Bearer ${token}` }),
    ])
  const ALL_200 = Array.from({ length: 6 }, () => '200')
  const ALL_401 = Array.from({ length: 6 }, () => '401')

  const badHeaders: Record<string, object> = {
    'a critical extension': { crit: ['x'], x: 1 },
    'an empty crit': { crit: [] },
    'a crit that is no list': { crit: null },
    'an unencoded payload': { b64: false },
    'an unencoded payload that is critical': { b64: false, crit: ['b64'] },
    'a compressed payload': { zip: 'DEF' },
    'a kid that is no text': { kid: 7 },
  }
  for (const [name, header] of Object.entries(badHeaders))
    it(`refuse a token with ${name}`, async () => {
      expect(await everywhere(sign(claims(), header))).to.deep.equal(ALL_401)
    })

  const goodHeaders: Record<string, object> = {
    'b64 as it is by default': { b64: true },
    'another typ, and parameters that nobody knows': { typ: 'at+jwt', cty: 'x', foo: 1 },
  }
  for (const [name, header] of Object.entries(goodHeaders))
    it(`accept a token with ${name}`, async () => {
      expect(await everywhere(sign(claims(), header))).to.deep.equal(ALL_200)
    })

  const goodClaims: Record<string, () => object> = {
    'scope and aud as lists': () => ({ scope: ['calls:manage'], aud: ['a', 'b'] }),
    'an nbf in the past, and an iat ahead': () => ({ nbf: nowSeconds() - 60, iat: nowSeconds() + 3600 }),
    'an exp in milliseconds, beyond the calendar': () => ({ exp: 9_999_999_999_999 }),
  }
  for (const [name, more] of Object.entries(goodClaims))
    it(`accept a token with ${name}`, async () => {
      expect(await everywhere(sign({ ...claims(), ...more() }))).to.deep.equal(ALL_200)
    })

  const badClaims: Record<string, () => object | string> = {
    'an nbf ahead': () => ({ ...claims(), nbf: nowSeconds() + 60 }),
    'an nbf that is no number': () => ({ ...claims(), nbf: 'now' }),
    'an endless exp': () => `{"sub":"${randomUUID()}","exp":1e999}`,
    'claims that are no object': () => 'null',
  }
  for (const [name, payload] of Object.entries(badClaims))
    it(`refuse a token with ${name}`, async () => {
      expect(await everywhere(sign(payload() as object))).to.deep.equal(ALL_401)
    })

  it('forgive blanks around a credential, and refuse blanks within', async () => {
    for (const around of [(token: string) => `Bearer  ${token}`, (token: string) => `bearer \t ${token} `]) {
      expect(await rest(around(good()))).to.equal('200')
      expect(await raw('', around(good()))).to.equal('200')
      expect(await socketIo({ authorization: around(good()) })).to.equal('200')
    }
    expect(await raw(`token=%20${good()}%20`)).to.equal('200')
    expect(await socketIo({ auth: { token: ` ${good()}\n` } })).to.equal('200')
    const twice = `Bearer ${good()} ${good()}`
    expect((await rest(twice)).slice(0, 3)).to.equal('401')
    expect((await raw('', twice)).slice(0, 3)).to.equal('401')
    expect(await socketIo({ authorization: twice })).to.equal('401')
  })

  it('take an empty token for none, beside a good one elsewhere', async () => {
    const authorization = () => `Bearer ${good()}`

    for (const query of ['token=', 'token=%20', 'token'])
      expect(await raw(query, authorization()), query).to.equal('200')
    expect(await socketIo({ query: { token: '' }, authorization: authorization() })).to.equal('200')
    expect(await socketIo({ auth: { token: '' }, query: { token: good() } })).to.equal('200')
    expect(await socketIo({ auth: { token: 7 }, query: { token: ' ' }, authorization: authorization() })).to.equal(
      '200',
    )
  })

  it('take the first of two tokens in a query', async () => {
    for (const query of [() => `token=${good()}&token=nonsense`, () => `token=&token=${good()}`]) {
      expect(await raw(query())).to.equal('200')
      expect(await polling(query())).to.equal('200')
    }
    const other = `token=nonsense&token=${good()}`
    expect((await raw(other)).slice(0, 3)).to.equal('401')
    expect(await polling(other)).to.equal('401')
  })

  /** Socket.IO by polling: a client would not repeat a parameter. */
  async function polling(query: string): Promise<string> {
    const url = `${cluster.gateway(0).url}/socket.io/?EIO=4&transport=polling&${query}`
    const opened = await (await fetch(url)).text()
    const session = `${url}&sid=${(JSON.parse(opened.slice(1)) as { sid: string }).sid}`
    await (await fetch(session, { method: 'POST', body: '40' })).text()
    const answer = await (await fetch(session)).text()
    return answer.startsWith('40') ? '200' : answer.includes('UNAUTHORIZED') ? '401' : answer
  }

  it('challenge in the same words', async () => {
    const missing = '401 Bearer realm="calling"'
    const invalid = '401 Bearer realm="calling", error="invalid_token"'

    for (const header of ['Basic eDp5', 'Bearer', 'Bearer ']) {
      expect(await rest(header)).to.equal(missing)
      expect(await raw('', header)).to.equal(missing)
    }
    expect(await raw('token=')).to.equal(missing)
    expect(await rest('Bearer nonsense')).to.equal(invalid)
    expect(await raw('', 'Bearer nonsense')).to.equal(invalid)
    expect(await raw('token=nonsense')).to.equal(invalid)
  })

  for (const kind of PEER_KINDS)
    it(`keep a user channel open by ${kind} whose token ends beyond the calendar, or within the tolerance`, async () => {
      for (const exp of [9_999_999_999_999, nowSeconds() - 1]) {
        const user = newUser(cluster, { exp })

        const channel = await openChannel(cluster, user, kind)

        // It is answered, so it was not closed at once.
        const reply = await channel.sendAndAck(channel.ringingMessage(randomUUID()))
        expect(reply.ok).to.equal(false)
        expect(channel.all('error').map(({ error }) => error.code)).not.to.include('UNAUTHORIZED')
      }
    })
})

/** HS256 by hand: the library refuses to sign some of these. A payload that is text is taken as it is. */
function signed(secret: string, payload: object | string, header: object): string {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload)
  const head = JSON.stringify({ alg: 'HS256', typ: 'JWT', ...header })
  const input = [head, text].map((part) => Buffer.from(part).toString('base64url')).join('.')
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}
