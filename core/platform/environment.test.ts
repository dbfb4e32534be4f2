import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { ConfigError, readEnvironment, VARIABLES, type Variable } from './environment.ts'

describe('.env.example', () => {
  const lines = readFileSync('.env.example', 'utf8').split('\n')
  const entries = lines.flatMap((line, index) => {
    const [, name, value] = /^([A-Z_]+)=(.*)$/.exec(line) ?? []
    return name === undefined || value === undefined ? [] : [{ name, value, comment: lines[index - 1] ?? '' }]
  })

  it('has every variable of the product, and no other', () => {
    expect(entries.map(({ name }) => name)).to.deep.equal(Object.keys(VARIABLES))
  })

  it('shows the default of each, and says what it means', () => {
    for (const { name, value, comment } of entries) {
      const { read, fallback } = VARIABLES[name as keyof typeof VARIABLES] as Variable<unknown>
      expect(value === '' ? fallback : read(value), name).to.deep.equal(fallback)
      expect(comment, name).to.match(/^# .{10,}/)
    }
  })

  it('names the unit of what has one', () => {
    for (const { name, comment } of entries) {
      if (name.endsWith('_SECONDS')) expect(comment, name).to.match(/^# Seconds/)
      if (name.endsWith('_MS')) expect(comment, name).to.match(/^# Milliseconds/)
    }
  })
})

describe('readEnvironment', () => {
  it('takes an empty or blank value for an absent one', () => {
    expect(readEnvironment({ PORT: '', LOG_LEVEL: '  ' })).to.deep.equal(readEnvironment({}))
  })

  const wrong: [string, string, RegExp][] = [
    ['NODE_ENV', 'prod', /one of development, production, test/],
    ['PORT', '80a', /TCP port from 0 to 65535/],
    ['PORT', '65536', /TCP port/],
    ['PORT', '-1', /TCP port/],
    ['RING_TIMEOUT_SECONDS', '0', /seconds from 0.05/],
    ['RING_TIMEOUT_SECONDS', '1e3', /seconds/],
    ['RING_TIMEOUT_SECONDS', '45s', /seconds/],
    ['DATABASE_POOL_MAX', '1.5', /whole number of connections/],
    ['DATABASE_URL', 'mysql://x/y', /starts with postgres:\/\//],
    ['REDIS_URL', 'localhost:6379', /redis:\/\//],
    ['PUBLIC_URL', 'calls.example.com', /http:\/\//],
    ['REDIS_KEY_PREFIX', 'a b', /letters/],
    ['REQUIRE_ONLINE_CALLEE', 'yes', /true or false/],
    ['CORS_ORIGINS', 'calls.example.com', /origins/],
    ['CORS_ORIGINS', 'https://calls.example.com/', /origins/],
    ['STUN_URLS', 'stun.example.com', /stun:/],
    ['TURN_URLS', 'turn:a, stun:b', /turn:/],
    ['TURN_TTL_SECONDS', '4', /from 5/],
    ['TURN_SECRET', 'a,,b', /list of them/],
  ]
  for (const [name, value, sentence] of wrong) {
    it(`refuses ${name}=${value} with a sentence that names it`, () => {
      expect(() => readEnvironment({ [name]: value }))
        .to.throw(ConfigError, sentence)
        .with.property('message')
        .that.matches(new RegExp(`^${name} must be .*\\.$`))
    })
  }

  it('names every fault at once, and no value: it may be a secret', () => {
    const faults = { PORT: 'seventy', REDIS_URL: 'hunter2' }

    expect(() => readEnvironment(faults))
      .to.throw(/PORT .* REDIS_URL /)
      .with.property('message')
      .that.does.not.match(/seventy|hunter2/)
  })

  it('reads lists, and none as an empty one', () => {
    const read = readEnvironment({ STUN_URLS: 'none', TURN_URLS: 'turn:a:1, turns:b:2', CORS_ORIGINS: 'https://a, *' })

    expect(read.STUN_URLS).to.deep.equal([])
    expect(read.TURN_URLS).to.deep.equal(['turn:a:1', 'turns:b:2'])
    expect(read.CORS_ORIGINS).to.deep.equal(['https://a', '*'])
  })
})
