import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { createUser, persistently, ring, type TestUser } from '../support/api-client.ts'
import { sharedCluster } from '../support/clusters.ts'

const FULL = process.env.TRIALS === 'full'
const INITIATES = FULL ? 1000 : 100
const RACES = FULL ? 1000 : 100
/** How many pairs race at the same time. */
const AT_ONCE = 10

describe('races over HTTP', () => {
  let cluster: Cluster
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })
  const user = (index = 0): TestUser => createUser(cluster.api(index % 2).url, cluster.jwtSecret)
  const at = (index: number, someone: TestUser) =>
    createUser(cluster.api(index % 2).url, cluster.jwtSecret, { sub: someone.id })

  /** Runs `race` for every index, {@link AT_ONCE} of them at a time. */
  async function repeat(times: number, race: (index: number) => Promise<void>): Promise<void> {
    let next = 0
    const runner = async () => {
      while (next < times) await race(next++)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, runner))
  }

  it(`${INITIATES} initiates at one callee through two API processes make one call`, async () => {
    const callee = user()
    const callers = Array.from({ length: INITIATES }, (_, index) => user(index))

    const answers = await Promise.all(
      callers.map((caller) => persistently(() => caller.api.initiate({ caller_id: caller.id, callee_id: callee.id }))),
    )

    const counts = new Map<string, number>()
    for (const { status, error } of answers) {
      const outcome = `${status} ${error?.code ?? ''}`.trim()
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
    }
    expect(Object.fromEntries(counts)).to.deep.equal({ 201: 1, '409 USER_ALREADY_IN_CALL': INITIATES - 1 })
    expect((await callee.api.activeCalls(callee.id)).body.active_calls).to.have.lengthOf(1)
  }).timeout(FULL ? 180_000 : 60_000)

  it(`two users who call each other at once have one call (${RACES} times)`, async () => {
    await repeat(RACES, async () => {
      const [one, other] = [user(0), user(1)]

      const answers = await Promise.all([
        one.api.initiate({ caller_id: one.id, callee_id: other.id }),
        other.api.initiate({ caller_id: other.id, callee_id: one.id }),
      ])

      expect(answers.map(({ status }) => status).sort()).to.deep.equal([201, 409])
      const [refused] = answers.filter(({ status }) => status === 409)
      expect(refused?.error?.code).to.equal('USER_ALREADY_IN_CALL')
    })
  }).timeout(120_000)

  it(`answer and hang-up at once: each call ends once and history agrees (${RACES} times)`, async () => {
    await repeat(RACES, async (index) => {
      const [caller, callee] = [user(index), user(index + 1)]
      const callId = await ring(caller, callee)

      const [answered, canceled, declined] = await Promise.all([
        callee.api.answer(callId, { user_id: callee.id }),
        caller.api.end(callId),
        at(index, callee).api.end(callId),
      ])

      const ends = [canceled, declined].filter(({ status }) => status === 200)
      expect(ends).to.have.lengthOf(1)
      for (const { status, error } of [answered, canceled, declined])
        if (status !== 200) expect([status, error?.code]).to.deep.equal([409, 'CALL_ALREADY_ENDED'])
      const { body } = await caller.api.status(callId)
      expect(body.version).to.equal(answered.status === 200 ? 3 : 2)
      expect(body.end_reason).to.equal(ends[0]?.body.end_reason)
      const entry = (await callee.api.history(callee.id)).body.calls
      expect(entry).to.have.lengthOf(1)
      expect(entry[0]).to.include({ call_id: callId, status: answered.status === 200 ? 'completed' : 'missed' })
      const next = await at(index, caller).api.initiate({ caller_id: caller.id, callee_id: randomUUID() })
      expect(next.status).to.equal(201)
    })
  }).timeout(120_000)

  it(`two devices that answer at once: one does (${RACES} times)`, async () => {
    await repeat(RACES, async (index) => {
      const [caller, callee] = [user(index), user(index + 1)]
      const callId = await ring(caller, callee)

      const answers = await Promise.all(
        ['phone', 'tablet', 'laptop'].map((device, turn) =>
          at(turn, callee).api.answer(callId, { user_id: callee.id, device_id: device }),
        ),
      )

      expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, 409, 409])
      for (const { status, error } of answers) if (status === 409) expect(error?.code).to.equal('CONFLICT')
    })
  }).timeout(120_000)
})
