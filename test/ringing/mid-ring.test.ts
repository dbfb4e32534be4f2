import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { CallEvents } from '../../core/calls/call-events.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall, newUser, openChannel } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS } from '../support/connect-peer.ts'
import { pickIndex, runSeed, seededRandom } from '../support/randomness.ts'

const ROUNDS = process.env.TRIALS === 'full' ? 500 : 50
const AT_ONCE = 10

describe('a device that comes online mid-ring', () => {
  let cluster: Cluster
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  for (const kind of PEER_KINDS) {
    it(`rings, on any node, once, and says how long still (${kind})`, async () => {
      const callee = newUser(cluster)
      const call = await newCall(cluster, { callee, type: 'video' })
      await call.callee.user.api.ringing(call.id)

      for (const at of [0, 1, 'edge'] as const) {
        const channel = await openChannel(cluster, callee, kind, { at })
        const ring = await channel.next('incoming-call')
        expect(ring).to.include({ call_id: call.id, caller_id: call.caller.id, call_type: 'video' })
        expect(Date.parse(ring.server_time)).to.be.within(Date.parse(ring.created_at), Date.parse(ring.expires_at))
        await channel.close()
      }
    })

    it(`stays silent for a call that is over or answered, and for one of its own (${kind})`, async () => {
      const user = newUser(cluster)
      const over = await newCall(cluster, { callee: user })
      await over.end()
      const first = await openChannel(cluster, user, kind)
      const own = await newCall(cluster, { caller: user })
      const second = await openChannel(cluster, user, kind, { at: 1 })
      await own.end()
      const answered = await newCall(cluster, { callee: user })
      for (const channel of [first, second]) await channel.next('incoming-call')
      await answered.answer()
      const third = await openChannel(cluster, user, kind, { at: 1 })
      await answered.end()

      for (const channel of [first, second, third])
        await channel.next(
          (message) => message.type === 'call-status' && message.call_id === answered.id && message.status === 'ended',
        )
      const rung = [first, second, third].map((channel) => channel.all('incoming-call').map(({ call_id }) => call_id))
      expect(rung).to.deep.equal([[answered.id], [answered.id], []])
    })
  }

  it('stays silent for a ring that comes after its end, as events of two processes may', async () => {
    const callee = newUser(cluster)
    const before = await openChannel(cluster, callee)
    const call = await newCall(cluster, { callee })
    const late = await before.next('incoming-call')
    await call.end()
    await before.next('call-status')
    const channel = await openChannel(cluster, callee)
    const redis = new Redis(cluster.description.redis.port, '127.0.0.1')

    await new CallEvents(redis, 'tchat:').publish('call-ringing', { callee_id: callee.id, message: late })
    redis.disconnect()
    const next = await newCall(cluster, { callee })

    expect(await channel.next('incoming-call')).to.include({ call_id: next.id })
    await next.end()
  })

  it(`rings exactly once, however its opening and the call's beginning and end fall (${ROUNDS} times)`, async function () {
    this.timeout(120_000)
    const seed = runSeed()
    const random = seededRandom(seed)
    let round = 0
    const runner = async () => {
      while (round++ < ROUNDS) {
        const callee = newUser(cluster)
        const kind = PEER_KINDS[pickIndex(random, 2)]
        const [openAfterMs, endAfterMs] = [random() * 30, random() * 60]
        const opening = pause(openAfterMs).then(() => openChannel(cluster, callee, kind, { at: pickIndex(random, 2) }))
        const call = await newCall(cluster, { callee, api: pickIndex(random, 2) })
        await pause(endAfterMs)
        await call.end()
        const channel = await opening
        const next = await newCall(cluster, { callee })
        await channel.next((message) => message.type === 'incoming-call' && message.call_id === next.id)

        // Whatever was rung was stopped before the next ring; and nothing rings after its end.
        const told = channel.received.filter((message) => 'call_id' in message && message.call_id === call.id)
        const types = told.map((message) => (message.type === 'call-status' ? message.status : message.type)).join(' ')
        expect(['', 'ended', 'incoming-call ended'], `seed ${seed}, round ${round}`).to.include(types)
        await next.end()
        await channel.close()
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, runner))
  })
})
