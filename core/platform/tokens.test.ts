import { expect } from 'chai'
import jwt from 'jsonwebtoken'
import { AppError } from '../protocol/errors.ts'
import { loadConfig } from './config.ts'
import { ConfigError } from './environment.ts'
import { createTokenVerifier } from './tokens.ts'

const SECRET = 'a secret that only this test knows of'
const USER_ID = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff'

describe('createTokenVerifier', () => {
  const verifier = createTokenVerifier(loadConfig('api', { JWT_SECRET: SECRET }).tokens)
  const exp = Math.floor(Date.now() / 1000) + 60
  const verify = (claims: object) => verifier.verify(jwt.sign({ sub: USER_ID, exp, ...claims }, SECRET))

  it('tells who the token speaks for', async () => {
    const claims = { sub: USER_ID.toUpperCase(), device_id: 'phone', name: 'Ann', scope: 'a calls:manage b' }

    expect(await verify(claims)).to.deep.equal({
      userId: USER_ID,
      deviceId: 'phone',
      name: 'Ann',
      manages: true,
      expiresAt: new Date(exp * 1000),
    })
  })

  it('takes device_id alone for the device, and none where it will not do', async () => {
    expect((await verify({ jti: 'j' })).deviceId).to.equal(undefined)
    expect((await verify({ jti: 'j', device_id: 'd' })).deviceId).to.equal('d')
    for (const device of ['', 7, 'x'.repeat(129), 'a\u0000b'])
      expect((await verify({ device_id: device })).deviceId).to.equal(undefined)
    expect(await verify({})).to.include({ deviceId: undefined, name: undefined, manages: false })
  })

  it('throws UNAUTHORIZED and never the token', async () => {
    const token = jwt.sign({ sub: USER_ID, exp: 1 }, SECRET)
    for (const bad of [undefined, '', token, `${token}x`, 'nonsense']) {
      const error = await verifier.verify(bad).then(
        () => undefined,
        (reason: unknown) => reason,
      )
      expect(error).to.be.instanceOf(AppError).with.property('code', 'UNAUTHORIZED')
      if (bad) expect(JSON.stringify([error, (error as Error).message])).not.to.contain(bad)
    }
  })

  it('refuses to start with a key that is none', () => {
    const { tokens } = loadConfig('api', { JWT_PUBLIC_KEY: 'not a key' })

    expect(() => createTokenVerifier(tokens)).to.throw(ConfigError, /^JWT_PUBLIC_KEY must be/)
  })
})
