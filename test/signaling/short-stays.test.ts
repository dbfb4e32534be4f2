import { expect } from 'chai'
import { Redis } from 'ioredis'
import { Client } from 'pg'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall, type TestCall } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import type { Peer } from '../support/peer.ts'
import { pickIndex, type Random, runSeed, seededRandom } from '../support/randomness.ts'

const ROUNDS = process.env.TRIALS === 'full' ? 20 : 2
const CALLS_A_ROUND = 100
const CALLS_AT_ONCE = 25
/** A gateway writes what it knows of rooms each 50 ms: stays are so short that two gateways write in either order. */
const LONGEST_STAY_MS = 40
/** How long a gateway waits for what it asks of a room. */
const REPLY_TIMEOUT_MS = 2000

interface Stay {
  call: TestCall
  peers: Peer[]
  /** Whether anybody is there in the end. */
  isOccupied: boolean
}

describe('calls whose peers come and go within moments, on two gateways', () => {
  let cluster: Cluster
  let postgres: Client
  let redis: Redis

  before(async function () {
    this.timeout(60_000)
    // Without a worker, whose roll call would put right what the gateways have written wrongly.
    cluster = await privateCluster({ gateways: 2, workers: 0, edge: false })
    postgres = new Client({ connectionString: cluster.description.postgres.url })
    redis = new Redis(cluster.description.redis.port)
    await postgres.connect()
  })
  after(async () => {
    redis.disconnect()
    await postgres.end()
    await cluster.stop()
  })

  it(`are written down as they are in the end, ${ROUNDS * CALLS_A_ROUND} calls`, async () => {
    const seed = runSeed()
    console.log(`      SEED=${seed}`)
    const random = seededRandom(seed)
    for (let round = 0; round < ROUNDS; round++) {
      const stays: Stay[] = []
      while (stays.length < CALLS_A_ROUND)
        stays.push(...(await Promise.all(Array.from({ length: CALLS_AT_ONCE }, () => comeAndGo(random)))))

      const wanted = stays.map(({ isOccupied }) => (isOccupied ? 'occupied' : 'empty'))
      const ids = stays.map(({ call }) => call.id)
      await eventually(async () => expectAlike(await rooms(ids), wanted))
      await eventually(async () => expectAlike(await written(ids), wanted))
      await Promise.all(stays.flatMap(({ peers }) => peers.map((peer) => peer.close())))
    }
  }).timeout(30_000 + ROUNDS * 15_000)

  it('keep the seat that is taken anew behind a leave which Redis must be taught first', async () => {
    const call = await newCall(cluster)
    const peer = await call.caller.joinAs('raw')
    const other = await newCall(cluster)
    // Redis knows how to join then, and not how to leave.
    await redis.script('FLUSH')
    await other.caller.joinAs('raw')
    peer.skip()

    peer.leave()
    peer.send(peer.joinMessage())

    await peer.nextGreeting()
    await expectASeatThatStays(call)
  }).timeout(30_000)

  it('keep the seat that is taken anew behind a leave whose reply is late', async () => {
    const call = await newCall(cluster)
    const peer = await call.caller.joinAs('raw')
    peer.skip()
    await cluster.kill('redis', 'SIGSTOP')
    try {
      peer.leave()
      await moment(REPLY_TIMEOUT_MS / 2)
      peer.send(peer.joinMessage())
      // The leave is given up by then and will be sent again, the join is not.
      await moment(REPLY_TIMEOUT_MS * 0.7)
    } finally {
      await cluster.kill('redis', 'SIGCONT')
    }

    const answer = await peer.next(({ type }) => type === 'user-joined' || type === 'error')
    // On a starved machine the join may be late, too; a client then asks again.
    if (answer.type === 'error') await eventually(() => peer.join())
    await expectASeatThatStays(call)
  }).timeout(60_000)

  /** Longer than a leave that failed waits until it is sent again. */
  async function expectASeatThatStays(call: TestCall): Promise<void> {
    await moment(1000)
    expect(await rooms([call.id])).to.deep.equal(['occupied'])
  }

  /** Both sides join and leave some times, at moments of their own, and end inside or outside. */
  async function comeAndGo(random: Random): Promise<Stay> {
    const call = await newCall(cluster)
    await call.answer()
    const peers = await Promise.all([call.caller.connect('raw'), call.callee.connect('raw')])
    const areInside = await Promise.all(
      peers.map(async (peer) => {
        const moves = 3 + pickIndex(random, 4)
        for (let move = 0; move < moves; move++) {
          if (move % 2 === 0) peer.send(peer.joinMessage())
          else peer.leave()
          await moment(random() * LONGEST_STAY_MS)
        }
        return moves % 2 === 1
      }),
    )
    return { call, peers, isOccupied: areInside.includes(true) }
  }

  async function rooms(callIds: string[]): Promise<string[]> {
    const rosters = await Promise.all(callIds.map((id) => redis.exists(`tchat:roster:${id}`)))
    return rosters.map((exists) => (exists === 1 ? 'occupied' : 'empty'))
  }

  /** What a worker would judge by. */
  async function written(callIds: string[]): Promise<string[]> {
    const { rows } = await postgres.query<{ id: string; said: string }>(
      `SELECT id, CASE WHEN first_joined_at IS NULL THEN 'never joined'
         WHEN peers_gone_since IS NULL AND deadline_at IS NULL THEN 'occupied'
         WHEN peers_gone_since IS NOT NULL AND deadline_at IS NOT NULL THEN 'empty' ELSE 'muddled' END AS said
       FROM calls WHERE id = ANY ($1)`,
      [callIds],
    )
    const said = new Map(rows.map((row) => [row.id, row.said]))
    return callIds.map((id) => said.get(id) ?? 'unknown')
  }
})

function expectAlike(said: string[], wanted: string[]): void {
  const wrong = said.flatMap((one, index) => (one === wanted[index] ? [] : [`${one}, though ${wanted[index]}`]))
  expect(wrong.length, `of ${said.length} calls are wrong: ${wrong.join('; ')}`).to.equal(0)
}

const moment = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
