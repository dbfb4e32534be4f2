import { expect } from 'chai'
import { loadConfig } from './config.ts'
import { deploymentWarnings } from './deployment-warnings.ts'

const PRODUCTION = { NODE_ENV: 'production', JWT_SECRET: 'a secret of more than thirty-two bytes' }
const warningsOf = (env: Record<string, string>) => deploymentWarnings(loadConfig('api', env))

describe('deploymentWarnings', () => {
  it('names origins that are open to all, and a Redis without a password', () => {
    const [origins, redis, ...others] = warningsOf({
      ...PRODUCTION,
      CORS_ORIGINS: '*',
      REDIS_URL: 'redis://cache:6379',
    })

    expect(origins).to.match(/^CORS_ORIGINS is \*/)
    expect(redis).to.match(/^Redis is used without a password/)
    expect(others).to.deep.equal([])
  })

  it('has nothing to say of a list of origins and a password, and outside production', () => {
    const closed = { CORS_ORIGINS: 'https://app.example.com', REDIS_URL: 'redis://:secret@cache:6379' }
    expect(warningsOf({ ...PRODUCTION, ...closed })).to.deep.equal([])
    expect(warningsOf({ JWT_SECRET: PRODUCTION.JWT_SECRET })).to.deep.equal([])
  })

  it('never repeats a password', () => {
    const warnings = warningsOf({ ...PRODUCTION, CORS_ORIGINS: '*', REDIS_URL: 'redis://:secret@cache:6379' })
    expect(warnings.join(' ')).not.to.contain('secret')
  })
})
