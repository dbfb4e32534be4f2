import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { Server } from 'socket.io'
import { FloodGate } from '../flood.ts'
import { type Engine, limitEngine } from './engine-limits.ts'

describe('the limits of an engine', () => {
  const http = createServer()
  const io = new Server(http)

  before(async () => {
    limitEngine(io.engine as unknown as Engine, new FloodGate({ floodPerSecond: 0, floodBurst: 2 }, performance.now()))
    await new Promise<void>((resolve) => {
      http.listen(0, '127.0.0.1', resolve)
    })
  })
  after(() => io.close())

  it('count each session that a client opens, however it leaves its id out', async () => {
    const { port } = http.address() as AddressInfo
    const statuses: number[] = []
    for (const id of ['', '&sid=', '&sid', '&sid=', ''])
      statuses.push((await fetch(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling${id}`)).status)

    expect(statuses).to.deep.equal([200, 200, 503, 503, 503])
  })
})
