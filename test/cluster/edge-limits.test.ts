/** What one source may hold of the edge, and what is left to the others. Each source is an address of 127.0.0.0/8. */
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { WebSocket } from 'ws'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { sharedCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { type ExtraEdge, startExtraEdge } from '../support/extra-edge.ts'
import { expectEnvelopeIn, type RawAnswer, RawHttp } from '../support/raw-http.ts'
import { mintToken } from '../support/tokens.ts'

const GOOD = 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n'
const PLACES = 200
const LIMITS = { connections: 40, sockets: 12, arrivals: 400 }
/** Few in a short time, for a test that waits until they are forgotten. */
const HASTY = { ...LIMITS, arrivals: 60, arrivalSeconds: 2 }

describe('a source at the edge', function () {
  this.timeout(60_000)
  let cluster: Cluster
  let edge: ExtraEdge
  let held: { destroy(): void }[] = []

  before(async () => {
    cluster = await sharedCluster()
  })
  beforeEach(async () => {
    // Of its own for each test: what arrived is remembered for ten seconds.
    edge = await startExtraEdge(cluster, { maxConnections: PLACES, sourceLimits: LIMITS })
  })
  afterEach(async () => {
    for (const one of held) one.destroy()
    held = []
    await edge.stop()
  })

  async function hold(from: string): Promise<RawHttp> {
    const connection = await RawHttp.open(edge.url, { from })
    held.push(connection)
    return connection
  }

  async function ask(connection: RawHttp): Promise<RawAnswer> {
    connection.write(GOOD)
    return connection.answer()
  }

  /** A user channel of somebody new; resolves with the status of a refusal, or 101. */
  function openSocket(from: string): Promise<{ status: number; socket: WebSocket; body: string }> {
    const token = mintToken(cluster.jwtSecret, { sub: randomUUID() })
    const socket = new WebSocket(`${edge.url.replace('http', 'ws')}/ws/events?token=${token}`, { localAddress: from })
    held.push({ destroy: () => socket.terminate() })
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve({ status: 101, socket, body: '' }))
      socket.once('unexpected-response', (_request, response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (text: string) => {
          body += text
        })
        response.once('end', () => resolve({ status: response.statusCode ?? 0, socket, body }))
      })
      socket.once('error', reject)
    })
  }

  it('gets its own share of idle connections alone, and everybody else is served', async () => {
    const attempts = await Promise.all(Array.from({ length: PLACES }, () => hold('127.0.8.1')))
    // All are there, and none has asked anything: the worst that keep-alive allows.
    await eventually(() =>
      expect(attempts.filter(({ isClosed }) => !isClosed)).to.have.length.within(1, LIMITS.connections),
    )
    const others = await Promise.all(['127.0.8.2', '127.0.8.3', '127.0.8.4'].map(async (from) => ask(await hold(from))))
    expect(others.map(({ status }) => status)).to.deep.equal([200, 200, 200])
  })

  it('keeps no idle connections beyond half of its share, while others do', async () => {
    for (let at = 0; at <= LIMITS.connections / 2; at++) await hold('127.0.8.1')
    // The edge takes connections in threads of its own, which may be behind.
    await eventually(async () => {
      const crowded = await hold('127.0.8.1')
      const answer = await ask(crowded)
      expect([answer.status, answer.headers.get('connection')]).to.deep.equal([200, 'close'])
      await crowded.closed()
    })
    const calm = await hold('127.0.8.2')
    for (const _turn of [1, 2]) expect((await ask(calm)).status).to.equal(200)
  })

  it('may hold many sockets, as a company behind one address does, beside its idle connections', async () => {
    for (let at = 0; at < LIMITS.sockets; at++) expect((await openSocket('127.0.8.1')).status).to.equal(101)
    for (let at = 0; at < LIMITS.connections / 2; at++) await hold('127.0.8.1')
    const connection = await hold('127.0.8.1')
    expect((await ask(connection)).status).to.equal(200)
  })

  it('is told so where its sockets are too many, and those that it has go on', async () => {
    const sockets: WebSocket[] = []
    for (let at = 0; at < LIMITS.sockets; at++) sockets.push((await openSocket('127.0.8.1')).socket)
    const refused = await openSocket('127.0.8.1')
    expect(refused.status).to.equal(429)
    expect(JSON.parse(refused.body).error).to.have.nested.property('details.retry_after_ms')
    expect(JSON.parse(refused.body).error.code).to.equal('RATE_LIMITED')
    expect((await openSocket('127.0.8.2')).status).to.equal(101)
    for (const socket of sockets) expect(socket.readyState).to.equal(WebSocket.OPEN)
    // One that goes makes room.
    sockets[0]?.close()
    await eventually(async () => expect((await openSocket('127.0.8.1')).status).to.equal(101))
  })

  it('that comes again and again is turned away, and comes back when it has calmed down', async () => {
    const hasty = await startExtraEdge(cluster, { maxConnections: PLACES, sourceLimits: HASTY })
    const askAs = async (from: string) => {
      const connection = await RawHttp.open(hasty.url, { from })
      held.push(connection)
      return (await ask(connection)).status
    }
    try {
      // The edge takes connections in threads of its own, and forgets them as time goes by.
      await eventually(async () => {
        const arrivals = Array.from({ length: HASTY.arrivals + 10 }, () =>
          RawHttp.open(hasty.url, { from: '127.0.8.1' }),
        )
        for (const arrival of await Promise.all(arrivals)) arrival.destroy()
        expect(await askAs('127.0.8.1')).to.equal(0)
      })
      expect(await askAs('127.0.8.2')).to.equal(200)
      // Each look is an arrival, too.
      await eventually(async () => expect(await askAs('127.0.8.1')).to.equal(200), 25_000, 500)
    } finally {
      await hasty.stop()
    }
  })

  it('finds room for a socket while many sources fill the edge with idle connections', async () => {
    const sources = Array.from({ length: 8 }, (_, at) => `127.0.9.${at + 1}`)
    await Promise.all(sources.map((from) => Promise.all(Array.from({ length: 20 }, () => hold(from)))))
    const refused = await ask(await hold('127.0.8.1'))
    expect(refused.status).to.equal(503)
    expectEnvelopeIn(refused, 'SERVICE_UNAVAILABLE')
    expect((await openSocket('127.0.8.1')).status).to.equal(101)
  })
})
