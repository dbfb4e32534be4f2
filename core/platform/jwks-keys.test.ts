import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import jwt from 'jsonwebtoken'
import { loadConfig } from './config.ts'
import { createTokenVerifier, type TokenVerifier } from './tokens.ts'

const USER_ID = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff'

interface KeyPair {
  publicKey: KeyObject
  privateKey: KeyObject
}
const newKey = (): KeyPair => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwkOf = ({ publicKey }: KeyPair, more: object = {}) => ({
  ...createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })).export({ format: 'jwk' }),
  ...more,
})
const tokenOf = ({ privateKey }: KeyPair, keyid?: string) =>
  jwt.sign({ sub: USER_ID, exp: Math.floor(Date.now() / 1000) + 600 }, privateKey, {
    algorithm: 'ES256',
    ...(keyid === undefined ? {} : { keyid }),
  })

describe('the key set of the auth service', function () {
  this.timeout(30_000)
  let server: Server
  let served: unknown
  let asked = 0
  let hanging: ServerResponse[] = []
  let isHung = false
  before(async () => {
    server = createServer((_request, response) => {
      asked++
      if (isHung) hanging.push(response)
      else response.end(JSON.stringify(served))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  after(() => {
    server.close()
    server.closeAllConnections()
  })
  beforeEach(() => {
    asked = 0
    isHung = false
    hanging = []
  })
  const urlOf = (port: number) => `http://127.0.0.1:${port}/`
  const newVerifier = (url = urlOf((server.address() as AddressInfo).port)) =>
    createTokenVerifier(loadConfig('api', { JWKS_URL: url }).tokens)
  const outcome = (verifier: TokenVerifier, token: string) =>
    verifier.verify(token).then(
      () => 'accepted',
      (error: { code?: string }) => error.code,
    )

  it('is asked once for many tokens at once', async () => {
    const key = newKey()
    served = { keys: [jwkOf(key, { kid: 'a' })] }
    const verifier = newVerifier()

    const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcome(verifier, tokenOf(key, 'a'))))

    expect(new Set(outcomes)).to.deep.equal(new Set(['accepted']))
    expect(asked).to.equal(1)
  })

  it('is not asked for each of a flood of unknown names', async () => {
    const key = newKey()
    served = { keys: [jwkOf(key, { kid: 'a' })] }
    const verifier = newVerifier()
    await outcome(verifier, tokenOf(key, 'a'))

    const flood = Array.from({ length: 50 }, (_, index) => outcome(verifier, tokenOf(newKey(), `x${index}`)))

    expect(new Set(await Promise.all(flood))).to.deep.equal(new Set(['UNAUTHORIZED']))
    expect(asked).to.equal(2)
  })

  it('is waited for by the first token of a new key, however lately it was read', async () => {
    const [old, fresh] = [newKey(), newKey()]
    served = { keys: [jwkOf(old, { kid: 'old' })] }
    const verifier = newVerifier()
    expect(await outcome(verifier, tokenOf(old, 'old'))).to.equal('accepted')
    served = { keys: [jwkOf(fresh, { kid: 'fresh' })] }

    const tokens = [tokenOf(fresh, 'fresh'), tokenOf(fresh), tokenOf(fresh, 'fresh')]
    const outcomes = await Promise.all(tokens.map((token) => outcome(verifier, token)))

    expect(outcomes).to.deep.equal(['accepted', 'accepted', 'accepted'])
    expect(asked).to.equal(2)
    expect(await outcome(verifier, tokenOf(old, 'old'))).to.equal('UNAUTHORIZED')
  })

  const unusable: Record<string, unknown> = {
    'no keys': { keys: [] },
    'unusable keys alone': { keys: [{ kty: 'oct', kid: 'a', k: 'c2VjcmV0' }, { kty: 'RSA', kid: 'b', n: '!' }, null] },
    'another document': { error: 'maintenance' },
    'a list in its place': [],
    null: null,
  }
  for (const [name, answer] of Object.entries(unusable))
    it(`keeps the known keys where it has ${name}, and does not call an unknown one forged`, async () => {
      const key = newKey()
      served = { keys: [jwkOf(key, { kid: 'a' })] }
      const verifier = newVerifier()
      expect(await outcome(verifier, tokenOf(key, 'a'))).to.equal('accepted')
      served = answer

      expect(await outcome(verifier, tokenOf(newKey(), 'stranger'))).to.equal('SERVICE_UNAVAILABLE')

      expect(asked).to.equal(2)
      expect(await outcome(verifier, tokenOf(key, 'a'))).to.equal('accepted')
      expect(await outcome(verifier, tokenOf(newKey(), 'a'))).to.equal('UNAUTHORIZED')
    })

  it('may have several keys without a name, or of one name', async () => {
    for (const more of [{}, { kid: 'same' }]) {
      const keys = [newKey(), newKey(), newKey()]
      served = { keys: keys.map((key) => jwkOf(key, more)) }
      const verifier = newVerifier()

      for (const key of keys)
        for (const kid of [undefined, 'same'])
          expect(await outcome(verifier, tokenOf(key, kid)), JSON.stringify(more)).to.equal('accepted')
    }
  })

  it('takes a token without a name for its key by any of its keys, also by a new one', async () => {
    const [one, other, fresh] = [newKey(), newKey(), newKey()]
    served = { keys: [jwkOf(one, { kid: 'a' }), jwkOf(other, { kid: 'b' })] }
    const verifier = newVerifier()

    for (const key of [one, other]) expect(await outcome(verifier, tokenOf(key))).to.equal('accepted')
    served = { keys: [jwkOf(fresh)] }
    expect(await outcome(verifier, tokenOf(fresh))).to.equal('accepted')
    expect(await outcome(verifier, tokenOf(one))).to.equal('UNAUTHORIZED')
  })

  it('uses no key of another type, algorithm or purpose, and none that is unreadable', async () => {
    const good = newKey()
    const wrong = { enc: { use: 'enc' }, alg: { alg: 'ES384' }, ops: { key_ops: ['sign'] }, crv: { crv: 'P-384' } }
    const pairs = Object.entries(wrong).map(([kid, more]) => ({ kid, key: newKey(), more }))
    served = {
      keys: [
        { kty: 'oct', kid: 'secret', k: 'c2VjcmV0' },
        { kty: 'RSA', kid: 'broken', n: '!' },
        null,
        'nonsense',
        ...pairs.map(({ kid, key, more }) => jwkOf(key, { kid, ...more })),
        jwkOf(good, { kid: 'good', use: 'sig', alg: 'ES256', key_ops: ['verify'] }),
      ],
    }
    const verifier = newVerifier()

    expect(await outcome(verifier, tokenOf(good, 'good'))).to.equal('accepted')
    const refused = pairs.flatMap(({ kid, key }) => [tokenOf(key, kid), tokenOf(key)])
    const outcomes = await Promise.all(refused.map((token) => outcome(verifier, token)))
    expect(new Set(outcomes)).to.deep.equal(new Set(['UNAUTHORIZED']))
  })

  it('is unavailable where it never could be read', async () => {
    served = { error: 'no keys here' }
    expect(await outcome(newVerifier(), tokenOf(newKey(), 'a'))).to.equal('SERVICE_UNAVAILABLE')

    expect(await outcome(newVerifier(urlOf(1)), tokenOf(newKey(), 'a'))).to.equal('SERVICE_UNAVAILABLE')
  })

  it('holds few up while it hangs, nobody with a known key, and nobody at all just afterwards', async () => {
    const key = newKey()
    served = { keys: [jwkOf(key, { kid: 'a' })] }
    const verifier = newVerifier()
    expect(await outcome(verifier, tokenOf(key, 'a'))).to.equal('accepted')
    isHung = true
    const stranger = newKey()
    const strange = (index: number) => outcome(verifier, tokenOf(stranger, `x${index}`))

    let settled = 0
    const waiting = Array.from({ length: 300 }, (_, index) => strange(index).finally(() => settled++))
    expect(await outcome(verifier, tokenOf(key, 'a'))).to.equal('accepted')
    // The others are told at once, long before the auth service has had its time.
    await new Promise((resolve) => setImmediate(resolve))
    expect(settled).to.equal(200)

    expect(new Set(await Promise.all(waiting))).to.deep.equal(new Set(['SERVICE_UNAVAILABLE']))
    const askedBefore = asked
    expect(await strange(300)).to.equal('SERVICE_UNAVAILABLE')
    expect(asked).to.equal(askedBefore)
    // It is asked again, once it answers.
    isHung = false
    served = { keys: [jwkOf(key, { kid: 'a' }), jwkOf(stranger, { kid: 'x301' })] }
    let last = await strange(301)
    while (last === 'SERVICE_UNAVAILABLE') {
      await new Promise((resolve) => setTimeout(resolve, 50))
      last = await strange(301)
    }
    expect(last).to.equal('accepted')
  })
})
