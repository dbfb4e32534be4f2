import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { createDatabase, type Database } from '../../core/platform/postgres.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { TRIALS } from '../calls/bench.ts'
import { createUser, ring, type TestUser } from '../support/api-client.ts'
import { privateCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { pick, pickIndex, runSeed, seededRandom } from '../support/randomness.ts'
import { webhookEnv } from './bench.ts'
import { Receiver } from './receiver.ts'

/** Long enough for a busy machine: an attempt that times out may be open still when it comes again. */
const TIMEOUT_SECONDS = 5
/** A claim outlives the longest attempt by three seconds. */
const LEASE_MS = 8_000
const TAKE_OVER_MS = LEASE_MS + 20_000

describe('webhooks through crashes', () => {
  let cluster: Cluster
  let db: Database
  const receiver = new Receiver()
  before(async function () {
    this.timeout(60_000)
    await receiver.up()
    const env = webhookEnv([receiver], { WEBHOOK_TIMEOUT_SECONDS: String(TIMEOUT_SECONDS) })
    cluster = await privateCluster({ gateways: 0, apis: 2, workers: 2, edge: false, env })
    db = createDatabase({ url: cluster.env.DATABASE_URL ?? '', poolMax: 2, timeoutMs: 5000 }, 'test')
  })
  beforeEach(() => {
    receiver.behave = () => 204
  })
  after(async () => {
    await db?.destroy()
    await cluster?.stop()
    await receiver.down()
  })

  const user = (api = 0): TestUser => createUser(cluster.api(api).url, cluster.jwtSecret)

  it('are sent although the API was killed with its answer on the way', async () => {
    const [caller, callee] = [user(), user()]
    const callId = await ring(caller, callee)
    await cluster.kill('api-1', 'SIGKILL')

    await eventually(() => expect(receiver.typesOf(callId)).to.deep.equal(['call.initiated']))
    await cluster.waitReady('api-1')
  })

  it('are sent by another worker where one is killed in the middle of it', async function () {
    this.timeout(60_000)
    let holding = true
    receiver.behave = () => (holding ? undefined : 204)
    const [caller, callee] = [user(), user()]
    const callId = await ring(caller, callee)
    const arrived = () => receiver.receipts.filter(({ event }) => event.data.call_id === callId)
    await eventually(() => expect(arrived()).to.have.length(1))

    // Nobody knows which of the two has it.
    await Promise.all([cluster.kill('worker-1', 'SIGKILL'), cluster.kill('worker-2', 'SIGKILL')])
    holding = false
    await callee.api.end(callId, { user_id: callee.id })

    await eventually(
      () => expect(receiver.typesOf(callId)).to.deep.equal(['call.initiated', 'call.missed']),
      TAKE_OVER_MS,
    )
    expect(arrived()[1]?.event).to.include({ type: 'call.initiated', attempt: 2 })
    // The lease of the dead was respected: nobody sent while he might have been sending.
    expect((arrived()[1]?.atMs ?? 0) - (arrived()[0]?.atMs ?? 0)).to.be.above(LEASE_MS - 500)
    expect(receiver.faults).to.deep.equal([])
  })

  it('are finished by a worker that is asked to end', async () => {
    let release: (() => void) | undefined
    receiver.behave = () => new Promise((resolve) => (release = () => resolve(204)))
    const callId = await ring(user(), user())
    await eventually(() => expect(release).to.not.equal(undefined))

    await Promise.all([cluster.kill('worker-1', 'SIGTERM'), cluster.kill('worker-2', 'SIGTERM')])
    release?.()

    await eventually(async () => {
      const { rows } = await db.raw('SELECT state, attempts FROM webhook_deliveries WHERE call_id = ?', [callId])
      expect(rows).to.deep.equal([{ state: 'delivered', attempts: 1 }])
    })
    await Promise.all([cluster.waitReady('worker-1'), cluster.waitReady('worker-2')])
  })

  it(`lose nothing over ${4 * TRIALS} kills of APIs and workers under load`, async function () {
    this.timeout(120_000 * TRIALS)
    const seed = runSeed()
    const random = seededRandom(seed)
    receiver.behave = async () => {
      await pause(20 * random())
      return random() < 0.1 ? 500 : 204
    }
    let killing = true
    /** A call with whatever API answers; requests that fail are somebody else's test. */
    const makeCalls = async () => {
      while (killing) {
        const [caller, callee] = [user(pickIndex(random, 2)), user(pickIndex(random, 2))]
        try {
          const callId = await ring(caller, callee)
          if (random() < 0.5) await callee.api.answer(callId, { user_id: callee.id })
          await caller.api.end(callId, { user_id: caller.id })
          // Without a pause it is the machine that is under load, and not these processes.
          await pause(100)
        } catch {
          await pause(20)
        }
      }
    }
    const load = Promise.all(Array.from({ length: 4 }, makeCalls))

    for (let kill = 0; kill < 4 * TRIALS; kill++) {
      const victim = pick(random, ['api-1', 'api-2', 'worker-1', 'worker-2'])
      await pause(500 + 500 * random())
      await cluster.kill(victim, 'SIGKILL')
      await cluster.waitReady(victim)
    }
    killing = false
    await load

    // No call without its events, none without its end's where it has ended.
    const { rows: calls } = await db.raw<{
      rows: { id: string; types: string[]; status: string; answered: boolean }[]
    }>(
      `SELECT calls.id, status, answered_at IS NOT NULL AS answered,
              array_agg(type ORDER BY delivery.id) AS types
       FROM calls LEFT JOIN webhook_deliveries AS delivery ON delivery.call_id = calls.id GROUP BY calls.id`,
    )
    expect(calls.length).to.be.above(20)
    console.log(`      ${calls.length} calls, ${calls.flatMap(({ types }) => types).length} events`)
    for (const { id, types, status, answered } of calls) {
      const middle = answered ? ['call.answered'] : []
      // A call whose end died with an API is ended by a limit where this takes long.
      const end = { ended: [answered ? 'call.ended' : 'call.missed'], failed: ['call.failed'] }[status] ?? []
      expect(types, `${id}, seed ${seed}`).to.deep.equal(['call.initiated', ...middle, ...end])
    }
    await eventually(() => {
      const missing = calls.filter(({ id, types }) => receiver.typesOf(id).length < types.length)
      expect(missing.length, `calls with missing events, seed ${seed}`).to.equal(0)
    }, 60_000)
    for (const { id, types } of calls)
      expect(receiver.typesOf(id).slice(0, types.length), `seed ${seed}`).to.deep.equal(types)
    expect(receiver.faults).to.deep.equal([])
  })
})
