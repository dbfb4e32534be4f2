import { expect } from 'chai'
import { settled } from '../../core/platform/redis.ts'
import { backdate, pair, type ServiceParts } from '../calls/bench.ts'
import { eventually } from '../support/eventually.ts'
import { WorkerBench } from './bench.ts'

describe('a worker through outages', () => {
  let bench: WorkerBench
  let api: ServiceParts
  before(async () => {
    bench = await WorkerBench.start()
    api = bench.stores.service()
  })
  afterEach(() => bench.stopWorkers())
  after(() => bench.stop())

  const overdueActive = async () => {
    const users = pair()
    const { call } = await api.calls.initiate(users)
    await api.calls.answer(call.id, users.calleeId, 'phone')
    await backdate(api.db, call.id, 'deadline_at', 90_000)
    return call.id
  }
  const overdueRing = async () => {
    const { call } = await api.calls.initiate(pair())
    await backdate(api.db, call.id, 'deadline_at', 60_000)
    return call.id
  }
  const ended = (callId: string) =>
    eventually(async () => expect((await api.calls.require(callId)).endedAt).to.not.equal(null))
  const reasonOf = async (callId: string) => (await api.calls.require(callId)).endReason

  it('ends rings without Redis, but judges nobody, and publishes when Redis is back', async () => {
    await bench.redis.pause()
    const { worker } = bench.worker()
    const [ring, abandoned] = [await overdueRing(), await overdueActive()]

    await ended(ring)
    // Another ring that is seen to end proves that whole passes went by.
    await ended(await overdueRing())
    expect(await reasonOf(abandoned)).to.equal(null)
    expect(worker.running).to.equal(true)
    const backAt = performance.now()
    await bench.redis.resume()
    await ended(abandoned)

    expect(await reasonOf(abandoned)).to.equal('setup_timeout')
    expect(performance.now() - backAt).to.be.at.least(1000)
    await eventually(async () => {
      const { rows } = await api.db.raw('SELECT 1 FROM outbox WHERE call_id = ? AND published_at IS NULL', [ring])
      expect(rows).to.have.length(0)
    })
  })

  it('does not judge within a lease of a wiped Redis', async () => {
    const { platform } = bench.worker()
    await settled(platform.redis, 2000)
    await ended(await overdueActive())

    const wipedAt = performance.now()
    await platform.redis.flushall()
    const abandoned = await overdueActive()
    // The peer comes back into the roster before the lease is over, as the gateways' peers do.
    await eventually(async () => {
      expect((await platform.redis.keys('tchat:worker:*')).length).to.equal(1)
    })
    await platform.redis.hset(`tchat:roster:${abandoned}`, 'connection', 'a|node')

    await eventually(async () => expect((await api.calls.require(abandoned)).firstJoinedAt).to.not.equal(null))
    expect(await reasonOf(abandoned)).to.equal(null)
    expect(performance.now() - wipedAt).to.be.at.least(1000)
  })

  it('lives through an outage of Postgres, ends nobody for it, and goes on', async () => {
    const { platform, worker } = bench.worker()
    const abandoned = await overdueActive()
    await bench.stores.postgres.pause()
    await eventually(async () => {
      const failures = await platform.registry.getSingleMetricAsString('sweep_failures_total')
      expect(failures).to.match(/sweep="unanswered-calls",?[^}]*} [1-9]/)
    })
    expect(worker.running).to.equal(true)
    await bench.stores.postgres.resume()
    const backAt = performance.now()

    await ended(await overdueRing())
    await ended(abandoned)
    expect(performance.now() - backAt).to.be.at.least(900)
  })

  it('waits a lease after its own start before it judges', async () => {
    const abandoned = await overdueActive()
    const startedAt = performance.now()
    bench.worker({ NODE_LEASE_SECONDS: '1.5' })

    await ended(abandoned)
    expect(performance.now() - startedAt).to.be.at.least(1500)
  })
})
