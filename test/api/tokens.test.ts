import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import jwt from 'jsonwebtoken'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { ApiClient } from '../support/api-client.ts'
import { privateCluster, sharedCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { mintToken, nowSeconds } from '../support/tokens.ts'

const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pemOf = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString()
const jwkOf = (key: KeyObject, kid: string) => ({ ...createPublicKey(pemOf(key)).export({ format: 'jwk' }), kid })

describe('tokens over HTTP', () => {
  const userId = randomUUID()
  const claims = () => ({ sub: userId, exp: nowSeconds() + 600 })
  /** What a user may always see of himself; 200 means that the token was accepted. */
  const tryToken = (url: string, token: string | undefined) => new ApiClient(url, token).activeCalls(userId)

  async function expectRefused(url: string, token: string | undefined): Promise<void> {
    const answer = await tryToken(url, token)
    expect([answer.status, answer.error?.code]).to.deep.equal([401, 'UNAUTHORIZED'])
    const challenge = token === undefined ? 'Bearer realm="calling"' : 'Bearer realm="calling", error="invalid_token"'
    expect(answer.headers.get('www-authenticate')).to.equal(challenge)
    if (token !== undefined && token.length > 5) expect(answer.text).not.to.contain(token)
  }

  const expectAccepted = async (url: string, token: string) => expect((await tryToken(url, token)).status).to.equal(200)

  describe('with a shared secret', () => {
    let cluster: Cluster
    let sign: (payload: object, options?: jwt.SignOptions) => string
    before(async function () {
      this.timeout(60_000)
      cluster = await sharedCluster()
      sign = (payload, options) => jwt.sign(payload, cluster.jwtSecret, options)
    })

    it('accepts HS256 with sub and exp', () => expectAccepted(cluster.url, sign(claims())))

    it('accepts a sub in upper case', async () => {
      const answer = await tryToken(cluster.url, sign({ ...claims(), sub: userId.toUpperCase() }))

      expect(answer.status).to.equal(200)
    })

    it('refuses no token, and what is none', async () => {
      for (const token of [undefined, 'x', 'a.b.c', '{}', Buffer.from('a.b.c').toString('base64')])
        await expectRefused(cluster.url, token)
    })

    it('refuses an unsigned token', async () => {
      const none = jwt.sign(claims(), null, { algorithm: 'none' })
      await expectRefused(cluster.url, none)
      const [, payload] = none.split('.')
      for (const alg of ['None', 'NONE'])
        await expectRefused(cluster.url, `${Buffer.from(`{"alg":"${alg}"}`).toString('base64url')}.${payload}.`)
    })

    it('refuses other algorithms with the right secret', async () => {
      for (const algorithm of ['HS384', 'HS512'] as const)
        await expectRefused(cluster.url, sign(claims(), { algorithm }))
    })

    it('refuses another secret, a changed payload and a cut signature', async () => {
      const [header, , signature] = sign(claims()).split('.')
      const changed = Buffer.from(JSON.stringify({ ...claims(), scope: 'calls:manage' })).toString('base64url')
      await expectRefused(cluster.url, mintToken('another secret that nobody knows of', claims()))
      await expectRefused(cluster.url, `${header}.${changed}.${signature}`)
      await expectRefused(cluster.url, sign(claims()).slice(0, -2))
    })

    it('refuses a token without exp', () => expectRefused(cluster.url, sign({ sub: userId })))

    it('refuses a sub that is no UUID, or none', async () => {
      for (const sub of ['alice', '', `${userId}x`, undefined])
        await expectRefused(cluster.url, sign({ ...claims(), sub }))
    })

    it('refuses an exp that is no number', () =>
      expectRefused(cluster.url, rawToken(cluster.jwtSecret, { sub: userId, exp: 'tomorrow' })))

    it('forgives clocks five seconds, and no more', async () => {
      await expectAccepted(cluster.url, sign({ sub: userId, exp: nowSeconds() - 3 }))
      await expectRefused(cluster.url, sign({ sub: userId, exp: nowSeconds() - 7 }))
      await expectAccepted(cluster.url, sign({ ...claims(), nbf: nowSeconds() + 3 }))
      await expectRefused(cluster.url, sign({ ...claims(), nbf: nowSeconds() + 60 }))
    })

    it('takes a bearer token only, whatever the case of the word', async () => {
      const token = sign(claims())
      const withHeader = (authorization: string) =>
        new ApiClient(cluster.url).request('GET', `/api/v1/calls/user/${userId}/active`, { headers: { authorization } })

      expect((await withHeader(`bearer ${token}`)).status).to.equal(200)
      expect((await withHeader(`Basic ${token}`)).status).to.equal(401)
      expect((await withHeader(token)).status).to.equal(401)
      expect((await withHeader(`Bearer ${token} ${token}`)).status).to.equal(401)
      const inQuery = await new ApiClient(cluster.url).request(
        'GET',
        `/api/v1/calls/user/${userId}/active?token=${token}`,
      )
      expect(inQuery.status).to.equal(401)
    })

    it('does not let a scope that only looks like it manage', async () => {
      const other = randomUUID()
      for (const scope of ['calls:manager', 'xcalls:manage', 'CALLS:MANAGE', ['calls:manage']]) {
        const token = sign({ ...claims(), scope })
        expect((await new ApiClient(cluster.url, token).activeCalls(other)).status).to.equal(403)
      }
      const token = sign({ ...claims(), scope: 'profile calls:manage' })
      expect((await new ApiClient(cluster.url, token).activeCalls(other)).status).to.equal(200)
    })

    it('ignores a device_id that could not be stored', async () => {
      const token = sign({ ...claims(), device_id: 'a\u0000b' })

      await expectAccepted(cluster.url, token)
    })
  })

  describe('with public keys', () => {
    const rsaKeys = rsa()
    const ecKeys = ec()
    let keyServer: Server
    let served: { status: number; body: string } = { status: 200, body: '' }
    let asked = 0
    let cluster: Cluster
    /** One API per way to be given a key. */
    const at = { rsaPem: 0, ecPem: 1, jwks: 2, checked: 3 }
    const serve = (...keys: object[]) => {
      served = { status: 200, body: JSON.stringify({ keys }) }
    }

    before(async function () {
      this.timeout(60_000)
      keyServer = createServer((_request, response) => {
        asked++
        response.writeHead(served.status, { 'content-type': 'application/json' }).end(served.body)
      }).listen(0, '127.0.0.1')
      await once(keyServer, 'listening')
      const jwksUrl = `http://127.0.0.1:${(keyServer.address() as AddressInfo).port}/jwks.json`
      const envs: Record<string, string>[] = [
        { JWT_SECRET: '', JWT_PUBLIC_KEY: pemOf(rsaKeys.publicKey).replaceAll('\n', '\\n') },
        { JWT_SECRET: '', JWT_PUBLIC_KEY: pemOf(ecKeys.publicKey) },
        { JWT_SECRET: '', JWKS_URL: jwksUrl },
        { JWT_ISSUER: 'https://auth.example', JWT_AUDIENCE: 'calling' },
      ]
      cluster = await privateCluster({
        gateways: 0,
        apis: envs.length,
        workers: 0,
        edge: false,
        envFor: (_role, index) => envs[index] ?? {},
      })
    })
    after(async () => {
      await cluster.stop()
      keyServer.close()
      keyServer.closeAllConnections()
    })
    const url = (which: keyof typeof at) => cluster.api(at[which]).url
    const signWith = (key: KeyObject, options: jwt.SignOptions) => jwt.sign(claims(), key, options)

    it('accepts RS256 and ES256 by a PEM', async () => {
      await expectAccepted(url('rsaPem'), signWith(rsaKeys.privateKey, { algorithm: 'RS256' }))
      await expectAccepted(url('ecPem'), signWith(ecKeys.privateKey, { algorithm: 'ES256' }))
    })

    it('refuses the other key, and algorithms that were not agreed', async () => {
      await expectRefused(url('rsaPem'), signWith(rsa().privateKey, { algorithm: 'RS256' }))
      await expectRefused(url('rsaPem'), signWith(rsaKeys.privateKey, { algorithm: 'RS512' }))
      await expectRefused(url('rsaPem'), signWith(rsaKeys.privateKey, { algorithm: 'PS256' }))
      await expectRefused(url('rsaPem'), signWith(ecKeys.privateKey, { algorithm: 'ES256' }))
    })

    it('refuses HS256 signed with the public key as the secret', async () => {
      for (const secret of [pemOf(rsaKeys.publicKey), pemOf(rsaKeys.publicKey).trim()])
        await expectRefused(url('rsaPem'), rawToken(secret, claims()))
      await expectRefused(url('rsaPem'), rawToken(cluster.jwtSecret, claims()))
      await expectRefused(url('rsaPem'), jwt.sign(claims(), null, { algorithm: 'none' }))
    })

    it('checks issuer and audience where they are set', async () => {
      const sign = (extra: object) => jwt.sign({ ...claims(), ...extra }, cluster.jwtSecret)

      await expectAccepted(url('checked'), sign({ iss: 'https://auth.example', aud: 'calling' }))
      await expectAccepted(url('checked'), sign({ iss: 'https://auth.example', aud: ['other', 'calling'] }))
      await expectRefused(url('checked'), sign({ iss: 'https://auth.example' }))
      await expectRefused(url('checked'), sign({ iss: 'https://evil.example', aud: 'calling' }))
      await expectRefused(url('checked'), sign({ iss: 'https://auth.example', aud: 'chat' }))
    })

    it('has 503 for everybody until the key set could be read once, then goes by it through rotation and outage', async () => {
      const [first, second, third] = [rsa(), ec(), rsa()]
      const byFirst = signWith(first.privateKey, { algorithm: 'RS256', keyid: 'first' })
      const bySecond = signWith(second.privateKey, { algorithm: 'ES256', keyid: 'second' })
      served = { status: 500, body: 'down' }

      const early = await tryToken(url('jwks'), byFirst)
      expect([early.status, early.error?.code]).to.deep.equal([503, 'SERVICE_UNAVAILABLE'])
      await expectRefused(url('jwks'), 'no-token-at-all')

      serve(jwkOf(first.publicKey, 'first'))
      await eventually(() => expectAccepted(url('jwks'), byFirst))
      await expectRefused(url('jwks'), signWith(third.privateKey, { algorithm: 'RS256', keyid: 'first' }))
      await expectRefused(url('jwks'), signWith(first.privateKey, { algorithm: 'RS256', keyid: 'unknown' }))
      await expectRefused(url('jwks'), rawToken(pemOf(first.publicKey), claims(), 'first'))
      // A token without a name for its key goes by the only one there is.
      await expectAccepted(url('jwks'), signWith(first.privateKey, { algorithm: 'RS256' }))

      serve(jwkOf(first.publicKey, 'first'), jwkOf(second.publicKey, 'second'))
      await eventually(() => expectAccepted(url('jwks'), bySecond))
      await expectAccepted(url('jwks'), byFirst)

      served = { status: 200, body: 'not JSON' }
      const askedBefore = asked
      const madeUp = (index: number) =>
        tryToken(url('jwks'), signWith(third.privateKey, { algorithm: 'RS256', keyid: `made-up-${index}` }))
      // Nobody can tell whether their keys exist.
      for (const { status } of await Promise.all(Array.from({ length: 20 }, (_, index) => madeUp(index))))
        expect(status).to.equal(503)
      expect(asked - askedBefore).to.be.below(3)
      await expectAccepted(url('jwks'), byFirst)
      await expectAccepted(url('jwks'), bySecond)
    }).timeout(40_000)
  })
})

/** HS256 by hand: the library refuses to sign what a forger would. */
function rawToken(secret: string, payload: object, kid?: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${part({ alg: 'HS256', typ: 'JWT', kid })}.${part(payload)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}
