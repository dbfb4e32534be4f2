import { expect } from 'chai'
import { loadConfig } from './config.ts'

const SECRET = { JWT_SECRET: 'a secret of more than thirty-two bytes' }

describe('loadConfig', () => {
  it('turns seconds into milliseconds', () => {
    const { calls, presence, nodes } = loadConfig('api', { ...SECRET, RING_TIMEOUT_SECONDS: '0.25' })

    expect(calls.ringTimeoutMs).to.equal(250)
    expect(calls.idempotencyRetentionMs).to.equal(24 * 3600 * 1000)
    expect(presence.onlineAfterPutMs).to.equal(300_000)
    expect(nodes).to.deep.equal({ beatMs: 2000, leaseMs: 8000 })
  })

  it('makes whole milliseconds of any number of seconds', () => {
    const { nodes, postgres } = loadConfig('api', {
      ...SECRET,
      NODE_LEASE_SECONDS: '2.01437',
      DATABASE_TIMEOUT_SECONDS: '1.0019',
    })

    expect([nodes.leaseMs, postgres.timeoutMs]).to.deep.equal([2014, 1002])
  })

  it('knows the contract’s limits as its defaults', () => {
    const { rateLimits, signaling } = loadConfig('api', SECRET)

    expect(rateLimits).to.include({ initiatePerMinute: 10, presencePerMinute: 100, historyPerMinute: 100 })
    expect(signaling.callConnectionsPerUser).to.equal(5)
  })

  it('makes the public URL of the port where none is given, without a trailing slash otherwise', () => {
    expect(loadConfig('api', SECRET).http.publicUrl).to.equal('http://localhost:8093')
    expect(loadConfig('api', { ...SECRET, PORT: '80' }).http.publicUrl).to.equal('http://localhost:80')
    const given = { ...SECRET, PORT: '80', PUBLIC_URL: 'https://calls.example.com//' }
    expect(loadConfig('api', given).http.publicUrl).to.equal('https://calls.example.com')
  })

  it('lets in the pages of all origins by default, in production its own alone', () => {
    const own = { ...SECRET, PUBLIC_URL: 'https://calls.example.com' }
    expect(loadConfig('gateway', own).http.corsOrigins).to.deep.equal(['*'])
    const closed = loadConfig('gateway', { ...own, NODE_ENV: 'production', CORS_ORIGINS: ' ' }).http.corsOrigins
    expect(closed).to.include('https://calls.example.com').and.not.to.include('*')
    const open = loadConfig('gateway', { ...own, NODE_ENV: 'production', CORS_ORIGINS: '*' }).http.corsOrigins
    expect(open).to.deep.equal(['*'])
  })

  it('gives each role its own ports, and any free metrics port for 0', () => {
    expect(loadConfig('api', SECRET).http).to.include({ port: 8081, metricsPort: 9101 })
    expect(loadConfig('gateway', SECRET).http).to.include({ port: 8082, metricsPort: 9102 })
    expect(loadConfig('worker', {}).http.metricsPort).to.equal(9103)
    expect(loadConfig('worker', { METRICS_PORT: '0' }).http.metricsPort).to.equal(0)
    expect(loadConfig('worker', { METRICS_PORT: ' ' }).http.metricsPort).to.equal(9103)
  })

  it('wants exactly one key where tokens are checked', () => {
    for (const role of ['api', 'gateway'] as const)
      expect(() => loadConfig(role, {})).to.throw(/^JWT_SECRET, .*must be/)
    for (const role of ['worker', 'migrate'] as const) expect(() => loadConfig(role, {})).not.to.throw()
    expect(() => loadConfig('api', { ...SECRET, JWKS_URL: 'https://auth.example/keys' })).to.throw(/only one of/)
  })

  it('refuses a short secret in production only', () => {
    const short = { JWT_SECRET: 'x'.repeat(31) }

    expect(() => loadConfig('api', { ...short, NODE_ENV: 'production' })).to.throw(/at least 32 bytes/)
    expect(() => loadConfig('api', short)).not.to.throw()
    expect(() => loadConfig('api', { JWT_SECRET: 'é'.repeat(16), NODE_ENV: 'production' })).not.to.throw()
  })

  it('reads line breaks of a PEM that stands on one line', () => {
    const { tokens } = loadConfig('api', { JWT_PUBLIC_KEY: '-----BEGIN\\nKEY' })

    expect(tokens.publicKey).to.equal('-----BEGIN\nKEY')
  })

  it('reads several TURN secrets, and refuses a short one in production only', () => {
    const turn = { ...SECRET, TURN_URLS: 'turn:a:1', TURN_SECRET: `${'n'.repeat(20)}, old` }

    expect(loadConfig('gateway', turn).ice.turnSecrets).to.deep.equal(['n'.repeat(20), 'old'])
    expect(() => loadConfig('gateway', { ...turn, NODE_ENV: 'production' })).to.throw(/TURN_SECRET .*20 bytes/)
    const both = { ...turn, TURN_SECRET: `${'n'.repeat(20)},${'o'.repeat(20)}`, NODE_ENV: 'production' }
    expect(() => loadConfig('gateway', both)).not.to.throw()
  })

  it('counts a dead node as dead early enough for its connections to count no longer than 10 s', () => {
    expect(loadConfig('gateway', { ...SECRET }).nodes.leaseMs).to.be.at.most(8_000)
  })

  it('refuses TURN servers without a secret, and a lease shorter than a beat', () => {
    expect(() => loadConfig('api', { ...SECRET, TURN_URLS: 'turn:a:1' })).to.throw(/^TURN_SECRET must be set/)
    expect(() => loadConfig('gateway', { ...SECRET, NODE_LEASE_SECONDS: '2' })).to.throw(/^NODE_LEASE_SECONDS must/)
  })
})
