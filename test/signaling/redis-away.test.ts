/** Redis away: peers on one node go on with no added wait; what could not be kept is made good when it is back. */
import { expect } from 'chai'
import { Redis } from 'ioredis'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { patient } from '../support/patience.ts'

/** The contract's target for signaling; a busy machine needs some more. */
const SOON_MS = 500

describe('while Redis is away', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await privateCluster({ gateways: 1, workers: 1, edge: false })
  })
  after(() => cluster.stop())

  async function pair() {
    const call = await newCall(cluster)
    const caller = await call.caller.joinAs('raw', { at: 0 })
    const callee = await call.callee.joinAs('socketio', { at: 0 })
    return { call, caller, callee }
  }

  it('delivers between peers of one node at once, and acknowledges when Redis is back', async function () {
    this.timeout(30_000)
    const { caller, callee } = await pair()
    await caller.send({ ...caller.candidateMessage('before'), id: 'before' })
    await caller.next('ack')
    await callee.next('candidate')

    await cluster.stopRedis()
    const sentAt = performance.now()
    for (let number = 0; number < 20; number++)
      await caller.send({ ...caller.candidateMessage(`away ${number}`), id: `away ${number}` })
    for (let number = 0; number < 20; number++)
      expect((await callee.next('candidate')).candidate).to.equal(`away ${number}`)
    const waitedMs = performance.now() - sentAt
    expect(caller.received.filter(({ type }) => type === 'ack')).to.have.length(1, 'nothing is kept yet')

    await cluster.startRedis()
    for (let number = 0; number < 20; number++) expect((await caller.next('ack')).id).to.equal(`away ${number}`)
    await caller.send(caller.candidateMessage('after'))
    expect((await callee.next('candidate')).candidate).to.equal('after', 'nothing is delivered twice')
    expect(waitedMs).to.be.lessThan(patient(SOON_MS))
  })

  it('delivers between peers of one node while Redis hangs, each message once', async function () {
    this.timeout(30_000)
    const { caller, callee } = await pair()
    const pid = cluster.description.redis.pid as number

    process.kill(pid, 'SIGSTOP')
    try {
      for (let number = 0; number < 20; number++)
        await caller.send({ ...caller.candidateMessage(`hung ${number}`), id: `hung ${number}` })
      for (let number = 0; number < 20; number++)
        expect((await callee.next('candidate')).candidate).to.equal(`hung ${number}`)
    } finally {
      process.kill(pid, 'SIGCONT')
    }

    for (let number = 0; number < 20; number++) expect((await caller.next('ack')).id).to.equal(`hung ${number}`)
    await caller.send(caller.candidateMessage('after'))
    expect((await callee.next('candidate')).candidate).to.equal('after')
  })

  it('delivers to a recipient on the same node whom the roster does not name', async () => {
    const { call, caller, callee } = await pair()
    // As after a failover to a replica that was copied before the callee joined; the sender's seat is there.
    const redis = new Redis(cluster.description.redis.port, '127.0.0.1')
    const changed = await redis.hset(`tchat:room:${call.id}`, 'nb', '')
    redis.disconnect()
    expect(changed, 'an existing field').to.equal(0)

    await caller.send({ ...caller.candidateMessage('unnamed'), id: 1 })

    expect((await callee.next('candidate')).candidate).to.equal('unnamed')
    expect((await caller.next('ack')).id).to.equal(1)
  })

  it('keeps a message of a resending client once', async function () {
    this.timeout(30_000)
    const { caller, callee } = await pair()

    await cluster.stopRedis()
    await caller.send({ ...caller.candidateMessage('again'), id: 'x' })
    await callee.next('candidate')
    await caller.send({ ...caller.candidateMessage('again'), id: 'x' })
    await cluster.startRedis()

    expect([(await caller.next('ack')).id, (await caller.next('ack')).id]).to.deep.equal(['x', 'x'])
    await caller.send(caller.candidateMessage('after'))
    expect((await callee.next('candidate')).candidate).to.equal('after')
  })

  it('keeps what was acknowledged for an absent recipient when Redis loses everything', async function () {
    this.timeout(30_000)
    const call = await newCall(cluster)
    const caller = await call.caller.joinAs('raw', { at: 0 })
    for (const number of [1, 2, 3]) {
      await caller.send({ ...caller.candidateMessage(`kept ${number}`), id: number })
      await caller.next('ack')
    }

    await cluster.restartRedis()
    await caller.next('resumed', 10_000)
    await caller.send({ ...caller.candidateMessage('kept 4'), id: 4 })
    await caller.next('ack')
    const callee = await eventually(() => call.callee.joinAs('raw', { at: 0 }))

    for (const number of [1, 2, 3, 4]) expect((await callee.next('candidate')).candidate).to.equal(`kept ${number}`)
  })

  it('delivers nothing twice to those who were connected when Redis lost everything', async function () {
    this.timeout(30_000)
    const { caller, callee } = await pair()
    for (const number of [1, 2, 3]) await caller.send({ ...caller.candidateMessage(`once ${number}`), id: number })
    for (const number of [1, 2, 3]) expect((await callee.next('candidate')).candidate).to.equal(`once ${number}`)

    await cluster.restartRedis()
    await callee.next('resumed', 10_000)
    await caller.send(caller.candidateMessage('after'))

    expect((await callee.next('candidate')).candidate).to.equal('after')
    expect(callee.received.filter(({ type }) => type === 'candidate')).to.have.length(4)
  })
})
