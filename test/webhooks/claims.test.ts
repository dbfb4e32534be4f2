import { expect } from 'chai'
import type { AttemptResult, Delivery, Verdict } from '../../core/webhooks/delivery.ts'
import { DeliveryStore } from '../../core/webhooks/delivery-store.ts'
import { DeliveryUpkeep } from '../../core/webhooks/delivery-upkeep.ts'
import type { ServiceParts } from '../calls/bench.ts'
import { eventually } from '../support/eventually.ts'
import { patient } from '../support/patience.ts'
import { WebhookBench, wholeCall } from './bench.ts'

const ENV = {
  WEBHOOK_URLS: 'hook-1=https://hook.example/',
  WEBHOOK_SECRETS: `whsec_${Buffer.alloc(24).toString('base64')}`,
  WEBHOOK_GIVE_UP_SECONDS: '60',
}
const LEASE_MS = 60_000
const FAILED: AttemptResult = { outcome: 'rejected', status: 500 }
const TAKEN: AttemptResult = { outcome: 'delivered', status: 204 }

describe('claims of webhook deliveries', () => {
  let bench: WebhookBench
  let parts: ServiceParts
  let store: DeliveryStore
  let upkeep: DeliveryUpkeep
  before(async () => {
    bench = await WebhookBench.start()
    parts = bench.service(ENV)
    store = new DeliveryStore(bench.db)
    upkeep = new DeliveryUpkeep(bench.db)
  })
  afterEach(() => bench.reset())
  after(() => bench.stop())

  const call = () => wholeCall(parts)
  const claim = (limit = 10, leaseMs = LEASE_MS) => store.claim('hook-1', { limit, leaseMs })
  const settle = ({ id, lease }: Delivery, verdict: Verdict, result = TAKEN) =>
    store.settle([{ id, lease, verdict, result }])
  const only = ({ deliveries: [delivery, ...more] }: { deliveries: Delivery[] }): Delivery => {
    if (delivery === undefined || more.length > 0) throw new Error(`${more.length + 1} or no deliveries`)
    return delivery
  }
  const rowsOf = async (callId: string) =>
    (
      await bench.db.raw(
        `SELECT type, state, lease, attempts, extract(epoch FROM due_at - clock_timestamp())::float8 AS due_seconds
         FROM webhook_deliveries WHERE call_id = ? ORDER BY id`,
        [callId],
      )
    ).rows
  /** As if all of this had been done so much earlier. */
  const age = (seconds: number) =>
    bench.db.raw(
      `UPDATE webhook_deliveries SET due_at = due_at - :seconds * interval '1 s',
         retry_until = retry_until - :seconds * interval '1 s', settled_at = settled_at - :seconds * interval '1 s',
         created_at = created_at - :seconds * interval '1 s'`,
      { seconds },
    )

  it('give the first event of each call to one claimant, and the next when it is done with', async () => {
    const calls = [await call(), await call(), await call()]

    const claims = await Promise.all([claim(), claim(), claim()])
    const claimed = claims.flatMap(({ deliveries }) => deliveries)
    expect(claimed.map(({ callId }) => callId)).to.have.members(calls)
    expect(new Set(claimed.map(({ type }) => type))).to.deep.equal(new Set(['call.initiated']))
    expect((await claim()).deliveries).to.deep.equal([])

    const [first] = claimed as [Delivery]
    await settle(first, { kind: 'delivered' })
    const next = only(await claim())
    expect(next).to.include({ callId: first.callId, type: 'call.ringing', attempt: 1 })
  })

  it('let nobody pass one that waits for its next attempt, and put the others behind it', async () => {
    const callId = await call()
    const first = only(await claim())
    await settle(first, { kind: 'retry', delayMs: 30_000 }, FAILED)

    // Three stand behind it and are not looked at again before it is due.
    expect((await claim()).deliveries).to.deep.equal([])
    const dues = (await rowsOf(callId)).map((row: { due_seconds: number }) => row.due_seconds)
    expect(dues[0]).to.be.within(30 - patient(5_000) / 1000, 30)
    for (const due of dues.slice(1)) expect(due).to.be.above(30 - patient(5_000) / 1000)

    await age(30)
    const again = only(await claim())
    expect(again).to.include({ id: first.id, attempt: 2 })
    await settle(again, { kind: 'delivered' })
    expect(only(await claim())).to.include({ type: 'call.ringing', attempt: 1 })
  })

  it('go on behind a dead letter, in order', async () => {
    await call()
    await settle(only(await claim()), { kind: 'dead' }, { outcome: 'gone', status: 410 })

    const types: string[] = []
    for (const _ of ['ringing', 'answered', 'ended']) {
      const next = only(await claim())
      types.push(next.type)
      await settle(next, { kind: 'delivered' })
    }

    expect(types).to.deep.equal(['call.ringing', 'call.answered', 'call.ended'])
    expect((await claim()).deliveries).to.deep.equal([])
  })

  it('end with their lease: another may claim, and the late word of the first counts no more', async () => {
    const callId = await call()
    const lost = only(await claim())
    await age(61)

    const taken = only(await claim())
    expect(taken).to.include({ id: lost.id, attempt: 2 })
    await settle(lost, { kind: 'dead' }, FAILED)
    expect((await rowsOf(callId))[0]).to.include({ state: 'pending', lease: taken.lease })
    await settle(taken, { kind: 'delivered' })
    await settle(taken, { kind: 'retry', delayMs: 1 }, FAILED)
    expect((await rowsOf(callId))[0]).to.include({ state: 'delivered', attempts: 2 })
  })

  it('can be given back unused', async () => {
    await call()
    await store.release([only(await claim())])

    expect(only(await claim())).to.include({ type: 'call.initiated', attempt: 1 })
  })

  it('become dead letters with the first failure whose repetition would be too late', async () => {
    const callId = await call()
    const first = only(await claim())
    expect(await settle(first, { kind: 'retry', delayMs: 59_000 }, FAILED)).to.deep.equal([])
    await age(59.5)

    const again = only(await claim())
    expect(await settle(again, { kind: 'retry', delayMs: 1000 }, FAILED)).to.deep.equal([again.id])
    expect((await rowsOf(callId))[0]).to.include({ state: 'dead', attempts: 2 })
    // What waited behind it all the time still has its attempt.
    await age(60)
    expect(only(await claim())).to.include({ type: 'call.ringing' })
  })

  it('do not wait for each other where many settle and claim at once', async () => {
    for (let round = 0; round < 4; round++) await Promise.all(Array.from({ length: 10 }, call))
    let done = 0
    const work = async () => {
      while (done < 160) {
        const { deliveries } = await claim(5)
        await store.settle(
          deliveries.map(({ id, lease }) => ({ id, lease, verdict: { kind: 'delivered' }, result: TAKEN })),
        )
        done += deliveries.length
      }
    }

    await Promise.all(Array.from({ length: 4 }, work))

    expect(await bench.pending()).to.equal(0)
    expect(done).to.equal(160)
  })

  it('of endpoints that are gone are given up in the end; what is old is forgotten', async () => {
    await call()
    expect(await upkeep.giveUpOnStrangers(['hook-1'], 100)).to.equal(0)
    expect(await upkeep.giveUpOnStrangers([], 100)).to.equal(0)
    await age(61)
    expect(await upkeep.giveUpOnStrangers(['hook-1'], 100)).to.equal(0)
    const [backlog] = await upkeep.backlogs()
    expect(backlog).to.include({ endpoint: 'hook-1', pending: 4, deadLetters: 0 })
    expect(backlog?.lagSeconds).to.be.within(61, 61 + patient(10_000) / 1000)

    expect(await upkeep.giveUpOnStrangers([], 3)).to.equal(3)
    await settle(only(await claim()), { kind: 'delivered' })

    expect((await upkeep.backlogs())[0]).to.deep.equal({
      endpoint: 'hook-1',
      pending: 0,
      lagSeconds: 0,
      deadLetters: 3,
    })
    await eventually(async () => expect(await upkeep.purge('delivered', 10, 100)).to.equal(1))
    expect(await upkeep.purge('dead', 60_000, 100)).to.equal(0)
    await age(61)
    expect(await upkeep.purge('dead', 60_000, 2)).to.equal(2)
    expect(await upkeep.purge('dead', 60_000, 2)).to.equal(1)
    expect(await upkeep.backlogs()).to.deep.equal([])
  })
})
