/** What the edge takes for a request and what it does not: everything valid is served, everything else is refused. */
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { loopbackAddresses } from '../../dev/cluster/ports.ts'
import { createUser } from '../support/api-client.ts'
import { newCall } from '../support/calls.ts'
import { privateCluster, sharedCluster } from '../support/clusters.ts'
import { expectEnvelopeIn, type RawAnswer, RawHttp, sendRaw } from '../support/raw-http.ts'
import { mintToken } from '../support/tokens.ts'

/** The largest token that every door takes; docs/operations.md names it. */
const TOKEN_BYTES = 24 * 1024
/** More than the edge waits for a head. */
const PAUSE_MS = 11_000

const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13'
const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
const GOOD = 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n'

/** By what they are called in titles; each is refused in the envelope on a new connection. */
const MALFORMED: Record<string, [bytes: string, status: number]> = {
  'bytes that are no HTTP': ['GARBAGE\r\n\r\n', 400],
  'a name of a header with a blank': ['GET / HTTP/1.1\r\nHost: x\r\nbad header: x\r\n\r\n', 400],
  'a length that is no number': ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n', 400],
  'a length beyond all numbers': [`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${'9'.repeat(24)}\r\n\r\n`, 400],
  'two lengths': ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', 400],
  'a transfer coding that is unknown': ['POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n', 400],
  'a transfer coding before chunked': ['POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', 400],
  'two hosts that differ': ['GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n', 400],
  'an absolute form of another host': ['GET http://y/health HTTP/1.1\r\nHost: x\r\n\r\n', 400],
  'a host that is none': ['GET /health HTTP/1.1\r\nHost: x y/z\r\n\r\n', 400],
  'a list of hosts': ['GET /health HTTP/1.1\r\nHost: x, y\r\n\r\n', 400],
  'no host': ['GET /health HTTP/1.1\r\n\r\n', 400],
  'a fragment': ['GET /health#x HTTP/1.1\r\nHost: x\r\n\r\n', 400],
  'HTTP/2 without having been asked': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
  'HTTP/3': ['GET /health HTTP/3.0\r\nHost: x\r\n\r\n', 400],
  'a CONNECT': ['CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n', 400],
  'a WebSocket without a key': [`GET /ws/events HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n\r\n`, 400],
  'a request line of 64 KB': [`GET /${'a'.repeat(64_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
  'cookies of 80 KB': [`GET /health HTTP/1.1\r\nHost: x\r\n${`Cookie: a=${'b'.repeat(1000)}\r\n`.repeat(80)}\r\n`, 431],
  'an expectation that nobody meets': ['GET /health HTTP/1.1\r\nHost: x\r\nExpect: x\r\n\r\n', 417],
  'an expectation at a gateway': ['GET /ws/events HTTP/1.1\r\nHost: x\r\nExpect: x\r\n\r\n', 417],
}

describe('the doors of the edge', () => {
  let cluster: Cluster
  /** What comes of connections that pause, while the other tests run. */
  let silent: Promise<RawAnswer>
  let paused: Promise<RawAnswer>

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
    silent = pauseAfter('', GOOD)
    paused = pauseAfter(GOOD.slice(0, 20), GOOD.slice(20))
    // Their tests say what went wrong; until then nobody listens.
    for (const answer of [silent, paused]) answer.catch(() => {})
  })

  async function pauseAfter(beginning: string, end: string): Promise<RawAnswer> {
    const connection = await RawHttp.open(cluster.url)
    connection.write(beginning)
    const timer = setTimeout(() => connection.write(end), PAUSE_MS)
    const answer = await connection.answer()
    clearTimeout(timer)
    connection.destroy()
    return answer
  }

  for (const [title, [bytes, status]] of Object.entries(MALFORMED))
    it(`refuse ${title} with ${status}, in the envelope`, async () => {
      const answer = await sendRaw(cluster.url, bytes)

      expect(answer.status, answer.body).to.equal(status)
      expectEnvelopeIn(answer, 'INVALID_REQUEST')
    })

  it('close a connection whose later request is malformed, and say nothing of their own', async () => {
    for (const [title, [bytes]] of Object.entries(MALFORMED)) {
      const connection = await RawHttp.open(cluster.url)
      connection.write(GOOD)
      expect((await connection.answer()).status, title).to.equal(200)
      connection.write(bytes)
      const answer = await connection.answer()
      connection.destroy()
      // What HAProxy parses it can refuse in words; the rest it closes.
      if (answer.status === 0) expect(answer.body, title).to.equal('')
      else if (answer.status !== 404) expectEnvelopeIn(answer, 'INVALID_REQUEST')
    }
  }).timeout(60_000)

  it('close a connection of HTTP/0.9, which knows no status', async () => {
    expect((await sendRaw(cluster.url, 'GET /health\r\n\r\n')).status).to.equal(0)
  })

  it('refuse what follows a refused request on the same connection, too', async () => {
    const answer = await sendRaw(cluster.url, `GARBAGE\r\n\r\n${GOOD}`)
    expect(answer.status).to.equal(400)
    const connection = await RawHttp.open(cluster.url)
    connection.write('GET http://y/health HTTP/1.1\r\nHost: x\r\n\r\n')
    expect((await connection.answer()).status).to.equal(400)
    connection.write(GOOD)
    expect((await connection.answer()).status).to.equal(0)
  })

  it('close a connection that says nothing for ten seconds, whatever comes then', async () => {
    expect((await silent).status).to.equal(0)
  }).timeout(40_000)

  it('refuse a head that pauses for longer than ten seconds, and do not serve its end', async () => {
    const answer = await paused
    expect(answer.status).to.equal(408)
    expectEnvelopeIn(answer, 'INVALID_REQUEST')
  }).timeout(40_000)

  it('serve the absolute form with the host that was asked', async () => {
    const health = await sendRaw(cluster.url, 'GET http://x:8093/health HTTP/1.1\r\nHost: x:8093\r\n\r\n')
    expect(health.status).to.equal(200)
    const call = await newCall(cluster)
    const path = `/ws/signaling/${call.id}?token=${call.caller.token}`
    const socket = await sendRaw(cluster.url, `GET HTTP://x${path} HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n${KEY}\r\n\r\n`)
    expect(socket.status).to.equal(101)

    // RFC 3986 section 6.2.3: no path at all is the path "/".
    const root = await sendRaw(cluster.url, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    for (const target of ['http://x', 'http://x/', 'HTTP://x/?']) {
      const { status } = await sendRaw(cluster.url, `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)
      expect(status, target).to.equal(root.status).and.not.equal(400)
    }
    const doubled = await sendRaw(cluster.url, 'GET http://x//health HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(doubled.status).to.equal(404)
  })

  it('serve whatever a Host may be', async () => {
    for (const host of ['', ':8093', 'x:', '[::1]:8093', 'a_b.example', '127.0.0.1:1', 'xn--bcher-kva.example.'])
      expect((await sendRaw(cluster.url, `GET /health HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).status, host).to.equal(200)
  })

  it('take tokens of 24 KiB: in REST, in the query of both transports, in headers', async () => {
    const call = await newCall(cluster)
    const base = { sub: call.caller.id }
    const short = mintToken(cluster.jwtSecret, { ...base, name: '' }).length
    // Base64 makes four characters of three.
    const token = mintToken(cluster.jwtSecret, {
      ...base,
      name: 'n'.repeat(Math.floor(((TOKEN_BYTES - short) * 3) / 4)),
    })
    expect(token.length).to.be.within(TOKEN_BYTES - 4, TOKEN_BYTES)

    const rest = createUser(cluster.url, cluster.jwtSecret, base)
    const response = await fetch(`${cluster.url}/api/v1/calls/user/${rest.id}/active`, {
      headers: { authorization: `Bearer ${token}` },
    })
    expect(response.status).to.equal(200)
    for (const kind of ['raw', 'socketio'] as const)
      for (const tokenIn of ['query', 'header'] as const) {
        const peer = await call.caller.joinAs(kind, { at: 'edge', token, tokenIn })
        await peer.close()
      }
    const polling = { at: 'edge', token, tokenIn: 'query', transports: ['polling'] } as const
    await (await call.caller.joinAs('socketio', { ...polling, transports: ['polling'] })).close()
  }).timeout(20_000)

  it('listen on each loopback address, as localhost may be any', async () => {
    for (const host of loopbackAddresses()) {
      const connection = await RawHttp.open(cluster.url, { host })
      connection.write(GOOD)
      expect((await connection.answer()).status, host).to.equal(200)
      connection.destroy()
    }
  })
})

describe('an address that is counted', () => {
  let cluster: Cluster
  before(async function () {
    this.timeout(60_000)
    cluster = await privateCluster({
      gateways: 1,
      workers: 0,
      env: { DEMO_ENABLED: 'true', RATE_LIMIT_SIGN_IN_PER_MINUTE: '5' },
    })
  })
  after(() => cluster.stop())

  it('is the one that the edge sees, whatever a client claims and however it asks', async () => {
    const ways: ((head: string, body: string) => string)[] = [
      (head, body) => `POST /api/v1/demo/sign-in HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n${body}`,
      (head, body) => `POST http://x/api/v1/demo/sign-in HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n${body}`,
      // What used to go around the edge: another host, a head of more than 15 KB, a query of 9 KB.
      (head, body) => `POST http://y/api/v1/demo/sign-in HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n${body}`,
      (head, body) =>
        `POST /api/v1/demo/sign-in HTTP/1.1\r\nHost: x\r\nCookie: a=${'b'.repeat(16_000)}\r\n${head}\r\n\r\n${body}`,
      (head, body) => `POST /api/v1/demo/sign-in?x=${'b'.repeat(9_000)} HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n${body}`,
    ]
    const statuses: number[] = []
    for (let turn = 0; turn < 6; turn++)
      for (const [at, way] of ways.entries()) {
        const body = JSON.stringify({ name: `n${randomUUID().slice(0, 8)}` })
        const forged = `10.${turn}.${at}.1`
        const head = [
          `Content-Type: application/json`,
          `Content-Length: ${body.length}`,
          `X-Forwarded-For: ${forged}`,
          `Forwarded: for=${forged}`,
          `X-Real-IP: ${forged}`,
        ].join('\r\n')
        statuses.push((await sendRaw(cluster.url, way(head, body))).status)
      }
    expect(statuses.filter((status) => status === 200 || status === 201)).to.have.length(5)
    expect(new Set(statuses)).to.deep.equal(new Set([statuses[0], 400, 429]))
  }).timeout(30_000)
})
