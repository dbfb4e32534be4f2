/** The edge in front of real processes: where requests go, what it says itself, what it never says. */
import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { expect } from 'chai'
import { WebSocket } from 'ws'
import { type Cluster, startCluster } from '../../dev/cluster/cluster.ts'
import { edgeLog, requestsIn, serverThrough } from '../support/edge-log.ts'
import { eventually } from '../support/eventually.ts'
import { patient } from '../support/patience.ts'
import { mintToken } from '../support/tokens.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Which server the edge gave a request to, by its log. */
const serverOf = (cluster: Cluster, path: string) => serverThrough({ url: cluster.url, runDir: cluster.runDir }, path)

/** What comes back for bytes that no client library would send. */
function exchange(cluster: Cluster, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(cluster.url).port), '127.0.0.1', () => socket.write(bytes))
    let answer = ''
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text
    })
    socket.once('error', reject)
    socket.once('close', () => resolve(answer))
  })
}

/**
 * A request that an API has taken and whose body never comes. Resolves when the API has said "100 Continue"; `answer` is
 * what comes after that, to the end of the connection.
 */
function beginRequest({ url, jwtSecret }: Cluster): Promise<{ answer: Promise<string> }> {
  const { host, port } = new URL(url)
  const token = mintToken(jwtSecret, { sub: randomUUID() })
  const head = [
    'PUT /api/v1/presence/status HTTP/1.1',
    `Host: ${host}`,
    `Authorization: Bearer ${token}`,
    'Content-Type: application/json',
    'Content-Length: 20',
    'Expect: 100-continue',
    'Connection: close',
  ]
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1', () => socket.write(`${head.join('\r\n')}\r\n\r\n`))
    socket.once('error', reject)
    let text = ''
    const answer = new Promise<string>((ended) => socket.once('close', () => ended(text)))
    socket.setEncoding('utf8').once('data', (first: string) => {
      if (!first.startsWith('HTTP/1.1 100 ')) return reject(new Error(`${first} instead of 100 Continue`))
      socket.on('data', (more: string) => {
        text += more
      })
      resolve({ answer })
    })
  })
}

function expectEnvelope(body: string, code: string, requestId: string | null): void {
  const envelope = JSON.parse(body) as {
    error: { code: string; message: string }
    timestamp: string
    request_id: string
  }
  expect(envelope.error.code).to.equal(code)
  expect(envelope.error.message).to.be.a('string').and.not.equal('')
  expect(Math.abs(Date.parse(envelope.timestamp) - Date.now())).to.be.below(patient(10_000))
  expect(envelope.request_id).to.match(UUID)
  expect(envelope.request_id).to.equal(requestId)
}

describe('the edge', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await startCluster({ env: { STUN_URLS: 'none' } })
  })

  after(() => cluster.stop())

  it('leads both transports of a call to one gateway, and calls to all gateways', async () => {
    const calls = Array.from({ length: 12 }, () => randomUUID())

    const pairs = await Promise.all(
      calls.map(async (callId) => [
        await serverOf(cluster, `/ws/signaling/${callId}?token=x`),
        await serverOf(cluster, `/socket.io/?EIO=4&transport=polling&call_id=${callId.toUpperCase()}`),
      ]),
    )

    for (const [raw, socketIo] of pairs) expect(raw).to.equal(socketIo)
    expect(new Set(pairs.flat())).to.deep.equal(new Set(['gateway-1', 'gateway-2']))
  })

  it('leads a user’s channels to one gateway, however the token comes', async () => {
    for (let user = 0; user < 4; user++) {
      const token = mintToken(cluster.jwtSecret, { sub: randomUUID() })
      const raw = await serverOf(cluster, `/ws/events?token=${token}`)
      const socketIo = await serverOf(cluster, `/socket.io/?EIO=4&transport=polling&token=${token}`)
      expect(raw)
        .to.equal(socketIo)
        .and.match(/^gateway-/)
    }
  })

  it('hands everything else to the API, which knows no metrics', async () => {
    for (const path of ['/metrics', '/socket.iox', '/health/ready', '/health/live', '/nothing']) {
      const response = await fetch(`${cluster.url}${path}`)
      expect(response.status, path).to.equal(404)
      expectEnvelope(await response.text(), 'NOT_FOUND', response.headers.get('x-request-id'))
    }
  })

  it('keeps a caller’s request id where it is a UUID and makes one otherwise', async () => {
    const requestId = randomUUID().toUpperCase()

    const kept = await fetch(`${cluster.url}/api/v1/nothing`, { headers: { 'x-request-id': requestId } })
    const made = await fetch(`${cluster.url}/api/v1/nothing`, { headers: { 'x-request-id': 'not a uuid' } })

    expectEnvelope(await kept.text(), 'NOT_FOUND', requestId)
    expectEnvelope(await made.text(), 'NOT_FOUND', made.headers.get('x-request-id'))
    await eventually(() => expect(edgeLog(cluster.runDir)).to.include(requestId))
  })

  it('lets a refused handshake through as the HTTP answer that it is', async () => {
    const socket = new WebSocket(`${cluster.url.replace('http', 'ws')}/ws/signaling/${randomUUID()}?token=wrong`)

    const status = await new Promise((resolve, reject) => {
      socket.once('unexpected-response', (_request, response) => {
        response.resume()
        resolve(response.statusCode)
      })
      socket.once('open', () => reject(new Error('it was let in')))
      socket.on('error', () => {})
    })

    expect(status).to.equal(401)
  })

  it('never writes a token into its log', async () => {
    const token = mintToken(cluster.jwtSecret, { sub: randomUUID() })
    await serverOf(cluster, `/ws/events?token=${token}`)
    await serverOf(cluster, `/api/v1/nothing?token=${token}`)

    expect(requestsIn(edgeLog(cluster.runDir)).map(({ path }) => path)).to.include.members([
      '/ws/events',
      '/api/v1/nothing',
    ])
    expect(edgeLog(cluster.runDir)).not.to.include(token)
  })

  it('has what is no HTTP answered with the envelope', async () => {
    const malformed = {
      'GARBAGE\r\n\r\n': 400,
      'GET / HTTP/1.1\r\nHost: x\r\nbad header: x\r\n\r\n': 400,
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n': 400,
      [`GET /${'a'.repeat(40_000)} HTTP/1.1\r\nHost: x\r\n\r\n`]: 431,
    }
    for (const [bytes, status] of Object.entries(malformed)) {
      const [head = '', body = ''] = (await exchange(cluster, bytes)).split('\r\n\r\n')
      expect(head, bytes.slice(0, 60)).to.match(new RegExp(`^HTTP/1.1 ${status} `))
      expectEnvelope(body, 'INVALID_REQUEST', /^x-request-id: (.*)$/im.exec(head)?.[1] ?? null)
    }
  })

  it('leads the users of a dead gateway to the other one at once, and back when it lives again', async () => {
    const token = mintToken(cluster.jwtSecret, { sub: randomUUID() })
    const home = await serverOf(cluster, `/ws/events?token=${token}`)

    await cluster.kill(home, 'SIGKILL')
    const refuge = await serverOf(cluster, `/ws/events?token=${token}`)

    expect(refuge)
      .to.match(/^gateway-/)
      .and.not.equal(home)
    await cluster.waitReady(home)
    await eventually(async () => expect(await serverOf(cluster, `/ws/events?token=${token}`)).to.equal(home))
  }).timeout(40_000)
})

describe('the edge of three gateways', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await startCluster({ gateways: 3, restart: false, env: { STUN_URLS: 'none' } })
  })

  after(() => cluster.stop())

  it('leads everybody to the one that lives in the moment when the two others die together', async () => {
    const calls = Array.from({ length: 30 }, () => `/ws/signaling/${randomUUID()}?token=x`)
    const before = new Set(await Promise.all(calls.map((url) => serverOf(cluster, url))))

    await Promise.all([cluster.kill('gateway-1', 'SIGKILL'), cluster.kill('gateway-2', 'SIGKILL')])
    const after = await Promise.all(calls.map((url) => serverOf(cluster, url)))

    expect([...before].sort()).to.deep.equal(['gateway-1', 'gateway-2', 'gateway-3'])
    expect(new Set(after)).to.deep.equal(new Set(['gateway-3']))
  }).timeout(40_000)
})

describe('the edge without its servers', () => {
  let cluster: Cluster
  /** What a request got whose API died while its body was under way. */
  let orphan: { answer: Promise<string> }

  before(async function () {
    this.timeout(60_000)
    cluster = await startCluster({ gateways: 1, restart: false, env: { STUN_URLS: 'none' } })
    orphan = await beginRequest(cluster)
    await cluster.kill('api-1', 'SIGKILL')
    await cluster.kill('gateway-1', 'SIGKILL')
  })

  after(() => cluster.stop())

  for (const path of ['/api/v1/calls/initiate', '/health', '/ws/events', '/socket.io/?EIO=4&transport=polling']) {
    it(`answers ${path} with 503 and the envelope`, async () => {
      const requestId = randomUUID()

      const response = await fetch(`${cluster.url}${path}`, { headers: { 'x-request-id': requestId } })

      expect(response.status).to.equal(503)
      expect(response.headers.get('content-type')).to.include('application/json')
      expect(response.headers.get('x-request-id')).to.equal(requestId)
      const body = await response.text()
      expectEnvelope(body, 'SERVICE_UNAVAILABLE', requestId)
      const { retry_after_ms: adviceMs } = JSON.parse(body).error.details
      expect(adviceMs).to.be.within(250, 2000)
      expect(response.headers.get('retry-after')).to.equal(String(Math.ceil(adviceMs / 1000)))
    })
  }

  it('answers a request whose API died under it with 503, too', async () => {
    const [head = '', body = ''] = (await orphan.answer).split('\r\n\r\n')

    expect(head).to.match(/^HTTP\/1\.1 503 /)
    expect(JSON.parse(body)).to.have.nested.property('error.code', 'SERVICE_UNAVAILABLE')
  })

  it('lets a page ask by a preflight, and read the 503 with its advice', async () => {
    const origin = 'https://any.example'
    for (const path of ['/api/v1/calls/initiate', '/socket.io/?EIO=4&transport=polling']) {
      const asked = 'authorization,traceparent,baggage,sentry-trace,x-requested-with'
      const preflight = await fetch(`${cluster.url}${path}`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': asked },
      })
      expect(preflight.status).to.equal(204)
      expect(preflight.headers.get('access-control-allow-origin')).to.equal('*')
      expect(preflight.headers.get('access-control-allow-headers')).to.equal(asked)
      const refused = await fetch(`${cluster.url}${path}`, { headers: { origin } })
      expect(refused.status).to.equal(503)
      expect(refused.headers.get('access-control-allow-origin')).to.equal('*')
      expect(refused.headers.get('access-control-expose-headers')).to.include('Retry-After')
    }
  })

  it('makes a request id where the caller has none', async () => {
    const response = await fetch(`${cluster.url}/api/v1/calls/initiate`, { method: 'POST', body: '{}' })

    expect(response.status).to.equal(503)
    expectEnvelope(await response.text(), 'SERVICE_UNAVAILABLE', response.headers.get('x-request-id'))
  })
})
