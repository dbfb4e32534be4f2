/** Rubbish in Redis, and subscriptions that fail as they are made. A wipe after each test takes the rubbish away. */
import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import type { Redis } from 'ioredis'
import { roomKeys } from '../../core/protocol/keys.ts'
import { eventually } from '../support/eventually.ts'
import { patient } from '../support/patience.ts'
import { pause, stopAllFleets } from './fleet.ts'
import { BACK_MS, RedisBench, stopAllLiveness } from './redis-bench.ts'
import { faultsOf } from './report.ts'

const KEYS = roomKeys('tchat:')

describe('signaling with a spoilt Redis', () => {
  let bench: RedisBench

  before(async function () {
    this.timeout(60_000)
    bench = await RedisBench.start()
  })
  afterEach(async function () {
    this.timeout(60_000)
    stopAllFleets()
    await stopAllLiveness()
    await bench.command((redis) => redis.flushall())
    // Each gateway notes itself anew with its next beat.
    await eventually(async () => expect(await bench.command((redis) => redis.zcard('tchat:nodes'))).to.equal(2))
  })
  after(async function () {
    this.timeout(60_000)
    await bench.stop()
  })

  it('goes on while rubbish is published on its channels', async () => {
    const { ledger } = await bench.expectHarmless(() => bench.command(publishRubbish))

    expect(ledger.verdict().gapsTold).to.equal(0)
  }).timeout(60_000)

  it('keeps the rubbish in the keys of one call from the other calls', async () => {
    const { fleet, call } = await bench.quietCall(6)
    const { id } = call
    const before = bench.cluster.description.gateways.map(({ pid }) => pid)

    await bench.command(async (redis) => {
      for (const key of [KEYS.room(id), KEYS.roster(id), KEYS.cursor(id), KEYS.ids(id), `tchat:log:${id}`]) {
        await redis.set(key, 'rubbish')
      }
    })
    call.caller.sendOne()
    call.callee.sendOne()
    const others = fleet.calls.filter((other) => other !== call)
    for (const { caller, callee } of others) for (const client of [caller, callee]) client.sendOne()

    await eventually(
      () => expect(others.flatMap(({ caller, callee }) => [caller.unacked, callee.unacked])).not.to.include(1),
      BACK_MS,
    )
    expect(bench.cluster.description.gateways.map(({ pid }) => pid)).to.deep.equal(before)
  }).timeout(40_000)

  for (const [what, spoil] of [
    ['lists of nodes, inboxes and graces', ['tchat:nodes', 'tchat:inboxes', 'tchat:graces']],
    ['rooms of the call', ['room', 'roster', 'cursor', 'ids', 'ids0', 'log']],
  ] as const) {
    it(`goes on after rubbish was written to the ${what}`, async () => {
      const { fleet, call } = await bench.quietCall()
      await bench.command(async (redis) => {
        for (const key of spoil) await redis.set(key.includes(':') ? key : `tchat:${key}:${call.id}`, 'rubbish')
      })

      call.caller.goAway()
      call.caller.comeBack()
      call.caller.sendOne()
      call.callee.sendOne()
      const settled = await fleet.settle(patient(BACK_MS))
      await bench.command((redis) => redis.del('tchat:nodes', 'tchat:inboxes', 'tchat:graces'))

      expect(settled, fleet.ledger.evidence()).to.equal(true)
      expect(faultsOf(fleet.ledger.verdict())).to.deep.equal([])
    }).timeout(40_000)
  }

  it('listens again on every channel after its connections were cut as they subscribed', async () => {
    const listeners = () =>
      bench.command(async (redis) => {
        const channels = (await redis.pubsub('CHANNELS', '*')) as string[]
        const counts = (await redis.pubsub('NUMSUB', ...channels)) as (string | number)[]
        return Object.fromEntries(channels.sort().map((name) => [name, counts[counts.indexOf(name) + 1]]))
      })
    const before = await listeners()

    bench.proxy.subscriptionsToCut = 3
    bench.proxy.cut()
    await eventually(() => expect(bench.proxy.subscriptionsToCut).to.equal(0))
    // All were cut before, so each listener that Redis names now came back.
    await pause(300)

    await eventually(async () => expect(await listeners()).to.deep.equal(before), BACK_MS)
  }).timeout(40_000)
})

async function publishRubbish(redis: Redis): Promise<void> {
  const nodes = (await redis.zrange('tchat:nodes', '0', '-1')).map(String)
  const channels = await redis.pubsub('CHANNELS', '*')
  const inboxes = nodes.map((node) => KEYS.inbox(node))
  const names = [...new Set([...(channels as string[]), ...inboxes, 'tchat#/#', 'tchat#/#room#', 'tchat-request#/#'])]
  const payloads = [
    '',
    'rubbish',
    '{}',
    'null',
    '[]',
    '0\n',
    '-1\nM a b c d e 0\n',
    '99999999999\nM x a 1 1 0 2\n{}',
    '1e999\n',
    '5\nM\n',
    `7\nJ ${'0'.repeat(36)} z - - - 0\n`,
    randomBytes(500),
    // MessagePack: an array of three with a packet of type 2, as the adapter sends; then one whose insides are wrong.
    Buffer.from([0x93, 0xa1, 0x78, 0x82, 0xa4, 0x74, 0x79, 0x70, 0x65, 0x02, 0xa3, 0x6e, 0x73, 0x70, 0xa1, 0x2f, 0x80]),
    Buffer.from([0x93, 0xc0, 0xc0, 0xc0]),
    JSON.stringify({ type: 6, uid: 'x', data: ['call-changed', null] }),
    JSON.stringify({ type: 6, uid: 'x', data: ['call-changed', { caller_id: 1, message: { type: 'call-status' } }] }),
    JSON.stringify({ type: 6, uid: 'x', data: ['call-ringing', { callee_id: null }] }),
    JSON.stringify({ type: 6, uid: 'x', data: null }),
    JSON.stringify({ type: 4, uid: 'x', opts: null, rooms: null }),
  ]
  for (const name of names) for (const payload of payloads) await redis.publish(name, payload)
}
