import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import type { Platform } from '../../core/context.ts'
import { TRIALS } from '../calls/bench.ts'
import { eventually } from '../support/eventually.ts'
import { patient } from '../support/patience.ts'
import { runSeed, seededRandom } from '../support/randomness.ts'
import { WebhookBench, webhookEnv, wholeCall } from './bench.ts'
import type { Receiver } from './receiver.ts'

/** The two minutes in the full trials. */
const OUTAGE_MS = TRIALS === 1 ? 2_000 : 120_000

describe('webhooks to receivers that fail', () => {
  let bench: WebhookBench
  before(async () => {
    bench = await WebhookBench.start()
  })
  afterEach(() => bench.reset())
  after(() => bench.stop())

  /** Every event that was written was taken, each call's in order, and nothing happened that should not. */
  async function expectComplete(receiver: Receiver, endpoint = 'hook-1', patienceMs = 15_000): Promise<void> {
    const written = await bench.written(endpoint)
    await eventually(() => {
      const missing = [...written].filter(([id, types]) => receiver.typesOf(id).length < types.length)
      expect(missing.length, 'calls with missing events').to.equal(0)
    }, patienceMs).catch(async (error: Error) => {
      throw new Error(`${error.message}\n${JSON.stringify(await bench.waiting(endpoint), null, 1)}`)
    })
    for (const [id, types] of written) expect(receiver.typesOf(id)).to.deep.equal(types)
    await eventually(async () => expect(await bench.pending(endpoint)).to.equal(0))
    expect(receiver.faults).to.deep.equal([])
  }

  it(`lose nothing while one is down for ${OUTAGE_MS / 1000} s`, async function () {
    this.timeout(OUTAGE_MS + 200_000)
    const receiver = await bench.receiver()
    // The full trial has the product's own patience.
    const own = { WEBHOOK_BACKOFF_SECONDS: '', WEBHOOK_BACKOFF_MAX_SECONDS: '', WEBHOOK_TIMEOUT_SECONDS: '' }
    const env = webhookEnv([receiver], TRIALS === 1 ? {} : own)
    const parts = bench.service(env)
    bench.couriers(env)
    bench.couriers(env)
    await wholeCall(parts)
    await eventually(() => expect(receiver.taken).to.have.length(4))

    await receiver.down()
    const upAt = performance.now() + OUTAGE_MS
    let calls = 0
    while (performance.now() < upAt) {
      await Promise.all([wholeCall(parts), wholeCall(parts)])
      calls += 2
      await pause(TRIALS === 1 ? 50 : 1000)
    }
    expect(receiver.taken).to.have.length(4)
    await receiver.up()

    await expectComplete(receiver, 'hook-1', TRIALS === 1 ? 15_000 : 150_000)
    expect(receiver.taken.length).to.equal(4 + 4 * calls)
    expect(Math.max(...receiver.taken.map(({ attempt }) => attempt))).to.be.above(2)
    const longestMs = Math.max(...receiver.receipts.map(({ atMs }) => atMs)) - upAt
    console.log(
      `      ${receiver.taken.length} events, the last one ${(longestMs / 1000).toFixed(1)} s after the return`,
    )
  })

  it('come in order and are all there where one answers 500 at random, hangs up, or takes its time', async function () {
    this.timeout(120_000)
    const seed = runSeed()
    const random = seededRandom(seed)
    const receiver = await bench.receiver({
      behave: async (_receipt, response) => {
        const dice = random()
        if (dice < 0.3) return 500
        if (dice < 0.4) return void response.socket?.destroy()
        if (dice < 0.5) await pause(200 * random())
        return 204
      },
    })
    const env = webhookEnv([receiver])
    const parts = bench.service(env)
    bench.couriers(env)
    bench.couriers(env)

    for (let batch = 0; batch < 3 * TRIALS; batch++)
      await Promise.all(Array.from({ length: 20 }, () => wholeCall(parts)))

    await expectComplete(receiver, 'hook-1', 100_000)
    expect(receiver.receipts.length, `seed ${seed}`).to.be.above(receiver.taken.length * 1.2)
  })

  it('come again where one has taken them and its answer is lost', async () => {
    let cut = 0
    const receiver = await bench.receiver({
      behave: ({ event }, response) => {
        if (event.attempt > 1 || event.type !== 'call.initiated') return 204
        cut++
        response.socket?.destroy()
        return undefined
      },
    })
    const env = webhookEnv([receiver])
    bench.couriers(env)

    const callId = await wholeCall(bench.service(env))

    await expectComplete(receiver)
    expect(cut).to.equal(1)
    const ids = receiver.receipts.map(({ event }) => event.id)
    expect(ids.slice(0, 2)).to.deep.equal([`evt_${callId}_initiated`, `evt_${callId}_initiated`])
    expect(new Set(ids).size).to.equal(4)
  })

  it('to a receiver that hangs hold up no other receiver', async function () {
    this.timeout(60_000)
    const [hanging, swift] = [await bench.receiver({ behave: () => undefined }), await bench.receiver()]
    const env = webhookEnv([hanging, swift], { WEBHOOK_CONCURRENCY: '4', WEBHOOK_TIMEOUT_SECONDS: '0.3' })
    const parts = bench.service(env)
    bench.couriers(env)
    const first = await wholeCall(parts)
    await eventually(() => expect(hanging.receipts.length).to.be.at.least(1))

    for (let batch = 0; batch < 10; batch++) await Promise.all(Array.from({ length: 5 }, () => wholeCall(parts)))

    await expectComplete(swift, 'hook-2')
    expect(swift.taken).to.have.length(4 * 51)
    const waits = swift.taken
      .map(({ created_at, sent_at }) => Date.parse(sent_at) - Date.parse(created_at))
      .sort((a, b) => a - b)
    // An event that waits for two others of its call, each for one look of the courier; the other one hangs for minutes.
    expect(waits[Math.floor(waits.length / 2)], 'the median way to the swift one, in ms').to.be.below(patient(1500))
    expect(hanging.taken).to.have.length(0)
    expect(hanging.faults).to.deep.equal([])
    // Not more than its share of slots, and the call that failed does not stand in its own way for ever.
    expect(await bench.pending('hook-1')).to.equal(4 * 51)
    await eventually(() => {
      const attempts = hanging.receipts.flatMap(({ event }) => (event.data.call_id === first ? [event.attempt] : []))
      expect(Math.max(...attempts)).to.be.above(1)
    })
  })

  it('are not sent twice by two workers, and go on when one of them ends', async function () {
    this.timeout(60_000)
    const receiver = await bench.receiver({ behave: () => pause(5).then(() => 204) })
    // No attempt times out here, however busy the machine is: a second one would be a second claim.
    const env = webhookEnv([receiver], { WEBHOOK_TIMEOUT_SECONDS: '20' })
    const parts = bench.service(env)
    const workers = [bench.couriers(env), bench.couriers(env), bench.couriers(env)]

    const attemptsOf = async ({ platform }: { platform: Platform }) => {
      const metric = await platform.registry.getSingleMetric('webhook_attempts_total')?.get()
      return metric?.values.reduce((sum, { value }) => sum + value, 0) ?? 0
    }
    const makeCalls = () => Promise.all(Array.from({ length: 10 }, () => wholeCall(parts)))
    const [first] = workers
    // All look for work several times a second; one of them may find none for a while.
    while (first !== undefined && (await attemptsOf(first)) === 0) await makeCalls()
    await first?.couriers.stop()
    for (let batch = 0; batch < 6 * TRIALS; batch++) await makeCalls()

    await expectComplete(receiver)
    expect(receiver.receipts).to.have.length(receiver.taken.length)
    const sent = await Promise.all(workers.map(attemptsOf))
    expect(
      sent.every((count) => count > 0),
      `all took part: ${sent}`,
    ).to.equal(true)
  })

  it('survive a restart of Postgres', async function () {
    this.timeout(60_000)
    const receiver = await bench.receiver({ behave: () => pause(20).then(() => 204) })
    const env = webhookEnv([receiver])
    const parts = bench.service(env)
    const ids = await Promise.all(Array.from({ length: 40 }, () => wholeCall(parts)))
    bench.couriers(env)
    await eventually(() => expect(receiver.taken.length).to.be.above(10))

    await bench.stores.postgres.pause()
    await bench.stores.postgres.resume()

    await eventually(() => expect(receiver.taken).to.have.length(4 * ids.length))
    await eventually(async () => expect(await bench.pending()).to.equal(0))
    expect(receiver.faults).to.deep.equal([])
  })
})
