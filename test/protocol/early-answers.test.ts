/**
 * Requests that are answered while their body is still under way. Clients that read only once they have sent everything,
 * as many libraries do, must find the answer all the same (RFC 9112 section 9.6).
 */
import { connect } from 'node:net'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { sharedCluster } from '../support/clusters.ts'
import { PollingSession } from './polling-session.ts'

const PIECE = Buffer.alloc(64 * 1024, '4')
/** Between two pieces: long enough for a reset to come back. */
const PAUSE_MS = 5
const BODY_BYTES = 10 * PIECE.length

interface Begun {
  target: string
  method?: string
  headers?: string
}

const CASES: Record<string, { status: number; begin(origin: string): Begun | Promise<Begun> }> = {
  'a payload that is too large': {
    status: 413,
    begin: async (origin) => ({ target: (await PollingSession.start(origin)).url }),
  },
  'a method that a session does not take': {
    status: 405,
    begin: async (origin) => ({ target: (await PollingSession.start(origin)).url, method: 'PUT' }),
  },
  'a path that serves WebSockets alone': { status: 426, begin: (origin) => ({ target: `${origin}/ws/events` }) },
  'an expectation that nobody meets': {
    status: 417,
    begin: (origin) => ({ target: `${origin}/ws/events`, headers: 'Expect: x\r\n' }),
  },
}

describe('an answer before the end of the request', () => {
  let cluster: Cluster
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  for (const entry of ['a gateway', 'the edge'] as const)
    for (const [title, { status, begin }] of Object.entries(CASES))
      it(`reaches a client of ${entry} that reads last, for ${title}`, async () => {
        const begun = await begin(entry === 'the edge' ? cluster.url : cluster.gateway(0).url)

        expect(await sendThenRead(begun, BODY_BYTES)).to.match(new RegExp(`^HTTP/1.1 ${status} `))
      })

  it('does not hold a connection whose body has no end', async () => {
    await sendThenRead({ target: `${cluster.gateway(0).url}/ws/events` }, Number.MAX_SAFE_INTEGER)
  })
})

/** Sends a body of this size, as far as it is taken, and only then reads. Resolves with what came before the end. */
function sendThenRead({ target, method = 'POST', headers = '' }: Begun, bytes: number): Promise<string> {
  const { hostname, port, pathname, search } = new URL(target)
  const socket = connect({ host: hostname, port: Number(port) })
  let answer = ''
  return new Promise((resolve) => {
    const send = (left: number) => {
      if (socket.destroyed) return
      if (left <= 0) return void socket.resume()
      socket.write(PIECE)
      setTimeout(() => send(left - PIECE.length), PAUSE_MS)
    }
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1')
      // The edge keeps its side open.
      if (answer.includes('\r\n\r\n')) socket.destroy()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
    socket.pause()
    socket.once('connect', () => {
      socket.write(`${method} ${pathname}${search} HTTP/1.1\r\nHost: x\r\n${headers}Content-Length: ${bytes}\r\n\r\n`)
      send(bytes)
    })
  })
}
