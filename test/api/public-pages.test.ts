import { createHmac, randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { ApiClient, createUser } from '../support/api-client.ts'
import { privateCluster, sharedCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { operations } from '../support/openapi-contract.ts'
import { patient } from '../support/patience.ts'
import { nowSeconds } from '../support/tokens.ts'

const ALLOWED = 'https://calls.example.com'
const TURN_SECRET = 'shared with coturn'

describe('health, ICE servers, reference and origins', () => {
  let cluster: Cluster
  let own: Cluster
  /** The second API of our own cluster shows no reference. */
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
    own = await privateCluster({
      gateways: 1,
      apis: 2,
      workers: 0,
      edge: false,
      env: {
        PUBLIC_URL: 'https://own.example/',
        CORS_ORIGINS: `${ALLOWED},https://other.example.com`,
        STUN_URLS: 'stun:stun.example.com:3478,stuns:stun.example.com:5349',
        TURN_URLS: 'turn:turn.example.com:3478?transport=udp',
        TURN_SECRET,
        TURN_TTL_SECONDS: '600',
      },
      envFor: (role, index): Record<string, string> => (role === 'api' && index === 1 ? { DOCS_ENABLED: 'false' } : {}),
    })
  })
  after(() => own.stop())
  const anonymous = (base: string = cluster.url) => new ApiClient(base)

  describe('GET /health', () => {
    it('needs no token and names the service', async () => {
      for (const path of ['/health', '/api/v1/health']) {
        const { status, body } = await anonymous().request<Record<string, string>>('GET', path)

        expect(status).to.equal(200)
        expect(body).to.include({ status: 'healthy', service: 'calling', version: '1.0.0' })
        expect(body).not.to.have.property('checks')
        expect(body.uptime).to.match(/^(\d+h)?(\d+m)?\d+s$/)
      }
    })

    it('says in detail how everything is', async () => {
      for (const path of ['/health/detailed', '/api/v1/health/detailed']) {
        const { status, body } = await anonymous().request<Awaited<ReturnType<ApiClient['health']>>['body']>(
          'GET',
          path,
        )

        expect(status).to.equal(200)
        expect(body.status).to.equal('healthy')
        expect(body.checks?.database).to.include({ status: 'healthy', message: 'Database connection is healthy' })
        expect(body.checks?.redis).to.include({ status: 'healthy', message: 'Redis connection is healthy' })
        expect(body.checks?.webrtc).to.deep.equal({ status: 'healthy', message: 'WebRTC components are ready' })
        expect(body.checks?.database.duration).to.match(/^\d+\.\dms$/)
      }
    })

    it('is degraded without Redis, unhealthy without Postgres, and alive all the time', async () => {
      await own.stopRedis()
      const withoutRedis = await anonymous(own.api(0).url).detailedHealth()
      await own.stopPostgres()
      const withoutBoth = await anonymous(own.api(0).url).detailedHealth()
      const alive = await anonymous(own.api(0).url).health()
      await own.startPostgres()
      await own.startRedis()

      expect([withoutRedis.status, withoutRedis.body.status]).to.deep.equal([200, 'degraded'])
      expect(withoutRedis.body.checks?.redis.status).to.equal('unhealthy')
      expect(withoutRedis.body.checks?.webrtc.status).to.equal('degraded')
      expect([withoutBoth.status, withoutBoth.body.status]).to.deep.equal([503, 'unhealthy'])
      expect(withoutBoth.body.checks?.database.status).to.equal('unhealthy')
      expect([alive.status, alive.body.status]).to.deep.equal([200, 'healthy'])
      await eventually(async () =>
        expect((await anonymous(own.api(0).url).detailedHealth()).body.status).to.equal('healthy'),
      )
    }).timeout(30_000)

    it('does not hang where Redis and Postgres do', async () => {
      await own.kill('redis', 'SIGSTOP')
      const startedAt = performance.now()
      const detailed = await anonymous(own.api(0).url).detailedHealth()
      const tookMs = performance.now() - startedAt
      await own.kill('redis', 'SIGCONT')

      expect(detailed.body.status).to.equal('degraded')
      expect(tookMs).to.be.below(patient(1_500))
    })
  })

  describe('GET /webrtc/ice-servers', () => {
    it('hands out STUN servers and TURN credentials of its own to each user', async () => {
      const user = createUser(own.api(0).url, own.jwtSecret, { device_id: 'phone' })

      const { status, headers, body } = await user.api.iceServers()

      expect(status).to.equal(200)
      expect(headers.get('cache-control')).to.equal('no-store')
      const [stun, turn] = body.iceServers
      expect(stun).to.deep.equal({ urls: ['stun:stun.example.com:3478', 'stuns:stun.example.com:5349'] })
      expect(turn?.urls).to.deep.equal(['turn:turn.example.com:3478?transport=udp'])
      const [expiry, userId, device] = turn?.username?.split(':') ?? []
      expect(Number(expiry) - nowSeconds()).to.be.within(600 - patient(10_000) / 1000, 601)
      expect([userId, device]).to.deep.equal([user.id, 'phone'])
      const expected = createHmac('sha1', TURN_SECRET)
        .update(turn?.username ?? '')
        .digest('base64')
      expect(turn?.credential).to.equal(expected)
      expect(body.ttl_seconds).to.equal(600)
      expect(body.codecs).to.deep.equal({
        audio: ['OPUS (48kHz)', 'G.722', 'PCMU', 'PCMA'],
        video: ['VP8', 'VP9', 'H.264'],
      })
    })

    it('is empty where none is configured, and needs a token', async () => {
      const user = createUser(cluster.url, cluster.jwtSecret)

      expect((await user.api.iceServers()).body.iceServers).to.deep.equal([])
      expect((await anonymous().iceServers()).error?.code).to.equal('UNAUTHORIZED')
    })
  })

  it('PUBLIC_URL alone makes the signaling URL', async () => {
    const user = createUser(own.api(0).url, own.jwtSecret)

    const { body } = await user.api.initiate({ caller_id: user.id, callee_id: randomUUID() })

    expect(body.signaling_url).to.equal(`wss://own.example/ws/signaling/${body.call_id}`)
  })

  describe('/docs', () => {
    it('is a page of our own origin, which / leads to', async () => {
      const root = await anonymous().request('GET', '/')
      const bare = await anonymous().request('GET', '/docs')
      const page = await anonymous().request('GET', '/docs/')

      for (const redirect of [root, bare])
        expect([redirect.status, redirect.headers.get('location')]).to.deep.equal([302, '/docs/'])
      expect(page.status).to.equal(200)
      expect(page.headers.get('content-type')).to.match(/^text\/html/)
      const policy = page.headers.get('content-security-policy') ?? ''
      expect(policy).to.contain("default-src 'self'").and.not.to.contain('upgrade-insecure-requests')
      const files = [...page.text.matchAll(/(?:src|href)="(?:\.\/)?([^"]+)"/g)].map(([, file]) => file)
      expect(files).to.include.members(['swagger-ui.css', 'swagger-ui-bundle.js', 'swagger-initializer.js'])
      for (const file of files) expect((await anonymous().request('GET', `/docs/${file}`)).status, file).to.equal(200)
      expect(page.text).not.to.match(/<script>|https?:/)
      const initializer = await anonymous().request('GET', '/docs/swagger-initializer.js')
      expect(initializer.text).to.contain('./openapi.yaml').and.not.to.contain('petstore')
    })

    it('serves the document in both forms', async () => {
      const yaml = await anonymous().request('GET', '/docs/openapi.yaml')
      const json = await anonymous().request<{ openapi: string; paths: object }>('GET', '/docs/openapi.json')

      expect(yaml.headers.get('content-type')).to.match(/yaml/)
      expect(yaml.text).to.match(/^openapi: 3\.1\.0/)
      expect(json.body.openapi).to.equal('3.1.0')
      expect(Object.keys(json.body.paths)).to.have.members([...new Set(operations().map(({ path }) => path))])
    })

    it('leads nowhere else', async () => {
      for (const path of ['/docs/package.json', '/docs/..%2fserver.js', '/docs/README.md', '/docs/nothing'])
        expect((await anonymous().request('GET', path)).status, path).to.equal(404)
    })

    it('is off where DOCS_ENABLED is false', async () => {
      const { url } = own.api(1)

      for (const path of ['/', '/docs', '/docs/', '/docs/openapi.yaml']) {
        const { status, error } = await anonymous(url).request('GET', path)
        expect([status, error?.code], path).to.deep.equal([404, 'NOT_FOUND'])
      }
    })
  })

  describe('origins', () => {
    /** What tracing and older libraries add by themselves is among them. */
    const ASKED = 'authorization,baggage,content-type,idempotency-key,sentry-trace,traceparent,x-requested-with'
    const preflight = (base: string, origin: string) =>
      anonymous(base).request('OPTIONS', '/api/v1/calls/initiate', {
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': ASKED },
      })

    it('are all allowed by default', async () => {
      // The edge answers by itself, as it must while no API does; the two must not differ.
      for (const url of [cluster.url, cluster.api(0).url]) {
        const { status, headers } = await preflight(url, 'https://any.example')

        expect(status).to.equal(204)
        expect(headers.get('access-control-allow-origin')).to.equal('*')
        expect(headers.get('access-control-allow-methods')).to.equal('GET,POST,PUT,DELETE')
        expect(headers.get('access-control-allow-headers')).to.equal(ASKED)
        expect(headers.get('access-control-max-age')).to.equal('600')
        expect(headers.get('vary')).to.match(/Access-Control-Request-Headers/)
      }
    })

    it('are only those that are listed, where some are', async () => {
      const allowed = await preflight(own.api(0).url, ALLOWED)
      const refused = await preflight(own.api(0).url, 'https://evil.example')

      expect(allowed.headers.get('access-control-allow-origin')).to.equal(ALLOWED)
      expect(allowed.headers.get('vary')).to.match(/Origin/)
      expect(refused.headers.get('access-control-allow-origin')).to.equal(null)
    })

    it('are the service’s own in any case', async () => {
      for (const origin of ['https://own.example', 'wss://own.example', 'https://own.example:443']) {
        const { headers } = await preflight(own.api(0).url, origin)
        expect(headers.get('access-control-allow-origin'), origin).to.equal(origin)
      }
    })

    it('may read the headers that we speak of', async () => {
      const { headers } = await anonymous().request('GET', '/health', { headers: { origin: 'https://any.example' } })

      const exposed = headers.get('access-control-expose-headers') ?? ''
      for (const name of ['X-Request-Id', 'Retry-After', 'RateLimit-Remaining', 'Idempotent-Replayed'])
        expect(exposed).to.contain(name)
    })
  })

  it('sends headers that keep browsers from guessing, storing or framing', async () => {
    const { headers } = await createUser(cluster.url, cluster.jwtSecret).api.iceServers()

    expect(headers.get('x-content-type-options')).to.equal('nosniff')
    expect(headers.get('content-security-policy')).to.equal("default-src 'none';frame-ancestors 'none'")
    expect(headers.get('cache-control')).to.equal('no-store')
    expect(headers.get('etag')).to.equal(null)
  })
})
