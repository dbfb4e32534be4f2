/** Redis killed, frozen, wiped, cut off and slow: what signaling promises through all of it. */
import { expect } from 'chai'
import { eventually } from '../support/eventually.ts'
import { patient } from '../support/patience.ts'
import { pause, stopAllFleets } from './fleet.ts'
import { BACK_MS, exchange, RedisBench, stopAllLiveness } from './redis-bench.ts'
import { faultsOf } from './report.ts'

/** Messages that are sent one after the other, to find one that the machine did not hold up. */
const AT_ONCE_TRIES = 10

describe('signaling through faults of Redis', () => {
  let bench: RedisBench

  before(async function () {
    this.timeout(60_000)
    bench = await RedisBench.start()
  })
  afterEach(async () => {
    stopAllFleets()
    await stopAllLiveness()
  })
  after(async function () {
    this.timeout(60_000)
    await bench.stop()
  })

  describe('is harmed by nothing but a pause', () => {
    it('when it is killed and comes back empty', async () => {
      await bench.expectHarmless(() => bench.killAndRestart(1500))
    }).timeout(60_000)

    it('when it is frozen for 500 ms', async () => {
      const { ledger } = await bench.expectHarmless(() => bench.freeze(500))

      expect(ledger.verdict().gapsTold).to.equal(0)
    }).timeout(60_000)

    it('when it is frozen for 10 s', async () => {
      const { ledger } = await bench.expectHarmless(() => bench.freeze(10_000))

      expect(ledger.verdict().gapsTold).to.equal(0)
    }).timeout(60_000)

    it('when everything in it is deleted', async () => {
      await bench.expectHarmless(() => bench.command(async (redis) => void (await redis.flushall())))
    }).timeout(60_000)

    it('when the connections of commands are killed, again and again', async () => {
      const { ledger } = await bench.expectHarmless(() => repeatedly(5, () => kill('normal')))

      expect(ledger.verdict().gapsTold).to.equal(0)
    }).timeout(60_000)

    it('when the subscriptions are killed, again and again', async () => {
      const { ledger } = await bench.expectHarmless(() => repeatedly(5, () => kill('pubsub')))

      expect(ledger.verdict().gapsTold).to.equal(0)
    }).timeout(60_000)

    it('when every connection is cut by the network', async () => {
      const cut = async () => bench.proxy.cut()
      const { ledger } = await bench.expectHarmless(() => repeatedly(5, cut))

      expect(ledger.verdict().gapsTold).to.equal(0)
    }).timeout(60_000)

    it('when every answer takes 150 ms', async () => {
      const { ledger } = await bench.expectHarmless(async () => {
        bench.proxy.delayMs = 75
        await pause(4000)
        bench.proxy.delayMs = 0
      })

      expect(ledger.verdict().gapsTold).to.equal(0)
    }).timeout(60_000)

    const kill = (type: 'normal' | 'pubsub') =>
      bench.command(async (redis) => void (await redis.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes')))

    async function repeatedly(times: number, action: () => Promise<void>): Promise<void> {
      for (let turn = 0; turn < times; turn++) {
        await action()
        await pause(300)
      }
    }
  })

  it('serves peers of one node at once while Redis is frozen, and acknowledges afterwards', async () => {
    const { fleet, call } = await bench.quietCall()
    const { caller } = call

    await bench.redis.kill('SIGSTOP')
    await pause(200)
    caller.sendOne()
    await pause(200)
    // The swiftest of some: a node that waited for Redis would wait with each of them, a busy machine does not.
    const tookMs: number[] = []
    for (let sent = 2; sent <= 1 + AT_ONCE_TRIES; sent++) {
      const sentAt = performance.now()
      caller.sendOne()
      await eventually(() => expect(fleet.ledger.verdict().delivered).to.equal(sent))
      tookMs.push(performance.now() - sentAt)
    }
    const ackedMeanwhile = fleet.ledger.verdict().acked
    await bench.redis.kill('SIGCONT')

    expect(Math.min(...tookMs), `ms of ${tookMs.map(Math.round)}`).to.be.lessThan(60)
    expect(ackedMeanwhile).to.equal(0)
    expect(await fleet.settle(patient(BACK_MS))).to.equal(true)
    expect(faultsOf(fleet.ledger.verdict())).to.deep.equal([])
  }).timeout(40_000)

  for (const [how, wipe] of [
    ['was killed and came back empty', () => bench.killAndRestart(300)],
    ['was wiped', () => bench.command(async (redis) => void (await redis.flushall()))],
  ] as const) {
    it(`delivers what was acknowledged before Redis ${how}, to one who was away`, async () => {
      const { fleet, call } = await bench.quietCall()
      const { caller, callee } = call
      await exchange(fleet, caller)
      callee.goAway()
      await pause(300)
      for (let count = 0; count < 3; count++) caller.sendOne()
      await eventually(() => expect(caller.unacked).to.equal(0))

      await wipe()
      await pause(500)
      callee.comeBack()

      await fleet.settle(patient(BACK_MS))
      expect(faultsOf(fleet.ledger.verdict()), fleet.ledger.evidence()).to.deep.equal([])
    }).timeout(40_000)
  }

  it('tells a resuming client honestly when Redis and the nodes were lost at once', async () => {
    const { fleet, call } = await bench.quietCall()
    const { caller, callee } = call
    await exchange(fleet, caller)
    callee.goAway()
    await pause(300)
    caller.sendOne()
    await eventually(() => expect(caller.unacked).to.equal(0))

    await Promise.all([
      bench.cluster.kill('gateway-1', 'SIGKILL'),
      bench.cluster.kill('gateway-2', 'SIGKILL'),
      bench.killAndRestart(100),
    ])
    for (const name of ['gateway-1', 'gateway-2']) await bench.cluster.waitReady(name)
    callee.comeBack()

    await eventually(() => expect(callee.isJoined && caller.isJoined).to.equal(true))
    const verdict = fleet.ledger.verdict()
    expect(verdict.delivered < verdict.acked ? verdict.gapsTold : 1, fleet.ledger.evidence()).to.be.greaterThan(0)
  }).timeout(60_000)

  it('does not hand over again, while Redis is slow, what it had handed over', async () => {
    const { fleet, call } = await bench.quietCall()
    const { caller } = call
    await exchange(fleet, caller)

    // The ack is lost on its way: the sender knows no better than to send the message again.
    bench.proxy.delayMs = 200
    caller.sendAgain(1)
    caller.sendOne()
    await eventually(() => expect(fleet.ledger.isSettled).to.equal(true))
    bench.proxy.delayMs = 0

    expect(faultsOf(fleet.ledger.verdict()), fleet.ledger.evidence()).to.deep.equal([])
  }).timeout(40_000)
})
