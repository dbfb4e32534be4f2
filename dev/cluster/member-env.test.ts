import { expect } from 'chai'
import { memberEnv, randomSecret, withOneKey } from './member-env.ts'

const where = { port: 8093, databaseUrl: 'postgres://db', redisUrl: 'redis://store', jwtSecret: 'secret' }

describe('memberEnv', () => {
  it('inherits nothing that configures the product', () => {
    process.env.RING_TIMEOUT_SECONDS = '1'
    try {
      expect(memberEnv({ ...where, env: {} })).not.to.have.property('RING_TIMEOUT_SECONDS')
    } finally {
      delete process.env.RING_TIMEOUT_SECONDS
    }
  })

  it('lets the caller set anything but where things are', () => {
    const env = memberEnv({
      ...where,
      env: {
        NODE_ENV: 'production',
        PUBLIC_URL: 'https://calls.example',
        PORT: '1',
        DATABASE_URL: 'elsewhere',
        EMPTY: undefined,
      },
    })

    expect(env).to.include({ NODE_ENV: 'production', PUBLIC_URL: 'https://calls.example', JWT_SECRET: 'secret' })
    expect(env).to.include({ PORT: '8093', DATABASE_URL: 'postgres://db', REDIS_URL: 'redis://store' })
    expect(env).not.to.have.property('EMPTY')
  })
})

describe('withOneKey', () => {
  it('drops the shared secret where an auth service’s key is configured', () => {
    expect(withOneKey({ JWT_SECRET: 'a' })).to.deep.equal({ JWT_SECRET: 'a' })
    expect(withOneKey({ JWT_SECRET: 'a', JWKS_URL: 'b' })).to.deep.equal({ JWKS_URL: 'b' })
    expect(withOneKey({ JWT_SECRET: 'a', JWT_PUBLIC_KEY: 'b' })).to.deep.equal({ JWT_PUBLIC_KEY: 'b' })
  })
})

describe('randomSecret', () => {
  it('has the 32 bytes that HS256 wants, and is never the same', () => {
    expect(Buffer.from(randomSecret(), 'base64url').length).to.equal(32)
    expect(randomSecret()).not.to.equal(randomSecret())
  })
})
