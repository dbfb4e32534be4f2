import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { JwksKeys } from './jwks-keys.ts'

const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
const jwkOf = (key: KeyObject, more: object) => ({
  ...createPublicKey(key.export({ type: 'spki', format: 'pem' })).export({ format: 'jwk' }),
  ...more,
})

describe('JwksKeys', () => {
  let server: Server
  let served: unknown
  let asked = 0
  before(async () => {
    server = createServer((_request, response) => {
      asked++
      response.end(JSON.stringify(served))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  after(() => {
    server.close()
    server.closeAllConnections()
  })
  beforeEach(() => {
    asked = 0
  })
  const keys = () => new JwksKeys(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => 'found',
      (error: { code?: string }) => error.code,
    )

  it('asks once for many tokens at once', async () => {
    const key = newKey()
    served = { keys: [jwkOf(key, { kid: 'a' })] }
    const known = keys()

    const found = await Promise.all(Array.from({ length: 20 }, () => known.find('a')))

    expect(found.every((one) => one.equals(key))).to.equal(true)
    expect(asked).to.equal(1)
  })

  it('has no key for an unknown name, and does not pass a flood of names on', async () => {
    served = { keys: [jwkOf(newKey(), { kid: 'a' })] }
    const known = keys()

    for (let index = 0; index < 50; index++) expect(await codeOf(known.find(`x${index}`))).to.equal('UNAUTHORIZED')

    expect(asked).to.equal(1)
  })

  it('goes without a name only where there is one key', async () => {
    const [one, other] = [newKey(), newKey()]
    served = { keys: [jwkOf(one, { kid: 'a' })] }
    expect((await keys().find(undefined)).equals(one)).to.equal(true)

    served = { keys: [jwkOf(one, { kid: 'a' }), jwkOf(other, { kid: 'b' })] }
    expect(await codeOf(keys().find(undefined))).to.equal('UNAUTHORIZED')
  })

  it('uses no symmetric key, no key for encryption and none that is unreadable', async () => {
    const good = newKey()
    served = {
      keys: [
        { kty: 'oct', kid: 'secret', k: 'c2VjcmV0' },
        jwkOf(newKey(), { kid: 'enc', use: 'enc' }),
        { kty: 'RSA', kid: 'broken', n: '!' },
        null,
        'nonsense',
        jwkOf(good, { kid: 'good', use: 'sig' }),
      ],
    }
    const known = keys()

    expect((await known.find('good')).equals(good)).to.equal(true)
    for (const kid of ['secret', 'enc', 'broken']) expect(await codeOf(known.find(kid))).to.equal('UNAUTHORIZED')
  })

  it('is unavailable where the key set never was', async () => {
    served = { error: 'no keys here' }
    expect(await codeOf(keys().find('a'))).to.equal('SERVICE_UNAVAILABLE')

    expect(await codeOf(new JwksKeys('http://127.0.0.1:1/').find('a'))).to.equal('SERVICE_UNAVAILABLE')
  })
})
