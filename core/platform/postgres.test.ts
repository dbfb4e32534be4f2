import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import { expect } from 'chai'
import { AppError } from '../protocol/errors.ts'
import { createDatabase, databaseFault, isDatabaseAway } from './postgres.ts'

describe('isDatabaseAway', () => {
  let server: Server
  /** What is done with each connection. */
  let greet: (socket: Socket) => void = () => {}
  const sockets = new Set<Socket>()
  before(async () => {
    server = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      greet(socket)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })

  async function faultOf(port: number): Promise<unknown> {
    const url = `postgres://someone:secret@127.0.0.1:${port}/calls`
    const db = createDatabase({ url, poolMax: 2, timeoutMs: 100 }, 'test')
    try {
      await db.raw('SELECT 1')
      return undefined
    } catch (error) {
      return error
    } finally {
      await db.destroy()
    }
  }
  const portOf = () => (server.address() as AddressInfo).port

  it('knows a server that nobody listens for', async () => {
    expect(isDatabaseAway(await faultOf(1))).to.equal(true)
  })

  it('knows a server that takes the connection and says nothing', async () => {
    greet = () => {}

    expect(isDatabaseAway(await faultOf(portOf()))).to.equal(true)
  })

  it('knows it also where a request waits for the connection that another one has asked for', async () => {
    greet = () => {}
    const url = `postgres://someone:secret@127.0.0.1:${portOf()}/calls`
    const db = createDatabase({ url, poolMax: 1, timeoutMs: 100 }, 'test')
    const startedAt = performance.now()
    const faults: unknown[] = []
    const waiting: Promise<unknown>[] = []

    // One after the other, so that the later ones are still waiting when the first connection has failed.
    while (performance.now() - startedAt < 100) {
      waiting.push(db.raw('SELECT 1').catch((error: unknown) => faults.push(error)))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(waiting)
    await db.destroy()

    expect(faults).to.have.length.of.at.least(10)
    expect(faults.filter((fault) => !isDatabaseAway(fault))).to.deep.equal([])
    expect(faults.map(String)).to.include('Error: timeout expired')
  })

  it('knows a server that hangs up', async () => {
    greet = (socket) => socket.once('data', () => socket.destroy())

    expect(isDatabaseAway(await faultOf(portOf()))).to.equal(true)
  })

  const messages = [
    // pg, when `connectionTimeoutMillis` has passed.
    'timeout expired',
    'Connection terminated unexpectedly',
    'Client has encountered a connection error and is not queryable',
    'Query read timeout',
  ]
  for (const message of messages) {
    it(`knows "${message}"`, () => {
      expect(isDatabaseAway(new Error(message))).to.equal(true)
    })
  }

  for (const code of ['57P01', '57P03', '53300', '08006', 'ECONNREFUSED', 'ECONNRESET']) {
    it(`knows ${code}`, () => {
      const error = Object.assign(new Error('x'), { code })
      const fault = databaseFault(error)

      expect(fault).to.be.instanceOf(AppError).with.property('code', 'SERVICE_UNAVAILABLE')
      expect(fault).to.have.property('cause', error)
    })
  }

  it('leaves faults of our own SQL alone', () => {
    for (const code of ['42P01', '23505', '22P02', '40P01'])
      expect(isDatabaseAway(Object.assign(new Error('x'), { code })), code).to.equal(false)
    expect(isDatabaseAway(new Error('something else'))).to.equal(false)
    expect(isDatabaseAway('timeout expired')).to.equal(false)
  })
})
