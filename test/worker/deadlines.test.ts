import { expect } from 'chai'
import type { Platform } from '../../core/context.ts'
import { settled } from '../../core/platform/redis.ts'
import { BOTH_JOINED, type JoinedSides, SIDE_JOINED } from '../../core/protocol/occupancy.ts'
import { RoomDirectory } from '../../core/rooms/room-view.ts'
import { backdate, pair, type ServiceParts } from '../calls/bench.ts'
import { eventually } from '../support/eventually.ts'
import { WorkerBench } from './bench.ts'

/** Far enough that no test's own duration crosses it. */
const NEAR_MS = 30_000

describe('a worker', () => {
  let bench: WorkerBench
  let api: ServiceParts
  before(async () => {
    bench = await WorkerBench.start()
    api = bench.stores.service()
  })
  afterEach(() => bench.stopWorkers())
  after(() => bench.stop())

  const active = async () => {
    const users = pair()
    const { call } = await api.calls.initiate(users)
    await api.calls.answer(call.id, users.calleeId, 'phone')
    return call.id
  }
  const ringing = async () => (await api.calls.initiate(pair())).call.id
  const note = (callId: string, version: number, isOccupied: boolean, joined: JoinedSides = BOTH_JOINED) =>
    api.calls.noteOccupancy([{ callId, isOccupied, version, joined }])
  const lost = async () => {
    const callId = await active()
    await note(callId, 1, true)
    await note(callId, 2, false)
    return callId
  }
  const due = (callId: string, ms: number) => backdate(api.db, callId, 'deadline_at', ms)
  /** The caller is in the room; the callee has been there, or has not. */
  const enter = async ({ redis }: Platform, callId: string, callee: 'disconnected' | 'never' = 'disconnected') => {
    await redis.hset(`tchat:roster:${callId}`, 'connection', 'a|node')
    await redis.hset(`tchat:room:${callId}`, 'sa', 'connected')
    if (callee !== 'never') await redis.hset(`tchat:room:${callId}`, 'sb', callee)
  }

  for (const [name, make, limitMs, outcome] of [
    ['a ring', ringing, 45_000, { status: 'ended', endReason: 'no_answer', version: 2 }],
    ['a call that nobody joined', active, 60_000, { status: 'failed', endReason: 'setup_timeout', version: 3 }],
    ['a call whose peers are lost', lost, 60_000, { status: 'ended', endReason: 'peers_lost', version: 3 }],
  ] as const)
    it(`ends ${name} at its deadline and not before`, async () => {
      const [early, exact, late] = [await make(), await make(), await make()]
      await due(early, limitMs - NEAR_MS)
      await due(exact, limitMs)
      await due(late, limitMs + NEAR_MS)
      bench.worker()

      for (const callId of [exact, late])
        await eventually(async () => expect(await api.calls.require(callId)).to.include(outcome))
      expect((await api.calls.require(early)).endedAt).to.equal(null)
    })

  it('leaves calls alone where somebody is connected, and writes him down', async () => {
    const [neverJoined, gone, empty] = [await active(), await lost(), await lost()]
    const { platform } = bench.worker()
    await settled(platform.redis, 2000)
    for (const callId of [neverJoined, gone]) await enter(platform, callId)
    await Promise.all([neverJoined, gone, empty].map((callId) => due(callId, 90_000)))

    await eventually(async () => expect((await api.calls.require(empty)).endReason).to.equal('peers_lost'))
    for (const callId of [neverJoined, gone])
      await eventually(async () => {
        const call = await api.calls.require(callId)
        expect(call).to.include({ status: 'active', peersGoneSince: null })
        expect(call.firstJoinedAt).to.not.equal(null)
      })
  })

  it('ends a call whose callee never joined, while the caller waits in the room', async () => {
    const [waiting, joined, untold] = [await active(), await active(), await active()]
    const { platform } = bench.worker()
    await settled(platform.redis, 2000)
    for (const callId of [waiting, joined, untold]) await note(callId, 1, true, SIDE_JOINED.a)
    await note(joined, 1, true, SIDE_JOINED.b)
    await enter(platform, waiting, 'never')
    for (const callId of [joined, untold]) await enter(platform, callId)
    for (const callId of [waiting, joined, untold]) await backdate(api.db, callId, 'answered_at', 60_000)
    for (const callId of [waiting, untold]) await due(callId, 60_000)

    await eventually(async () =>
      expect(await api.calls.require(waiting)).to.include({ status: 'failed', endReason: 'setup_timeout' }),
    )
    await eventually(async () =>
      expect(await api.calls.require(untold)).to.include({ status: 'active', joinedSides: BOTH_JOINED }),
    )
    expect((await api.calls.require(joined)).status).to.equal('active')
  })

  it('corrects by roll call what was never told, page by page', async () => {
    const { platform } = bench.worker()
    const rooms = new RoomDirectory(platform.redis, 'tchat:', 1000)
    const parts = bench.stores.service()
    parts.rooms.look = (callIds) => rooms.look(callIds)
    const [joined, left, back] = [await active(), await active(), await lost()]
    await note(left, 1, true)
    await settled(platform.redis, 2000)
    for (const callId of [joined, back]) await enter(platform, callId)

    let after: string | undefined
    let pages = 0
    do {
      after = await parts.calls.deadlines.rollCall(after, 2)
      pages++
    } while (after !== undefined)

    expect(pages).to.be.above(1)
    expect((await api.calls.require(joined)).firstJoinedAt).to.not.equal(null)
    expect((await api.calls.require(left)).peersGoneSince).to.not.equal(null)
    expect((await api.calls.require(back)).peersGoneSince).to.equal(null)
  })

  it('changes nothing by roll call where something newer was told while it looked', async () => {
    const parts = bench.stores.service()
    const [back, left] = [await lost(), await active()]
    await note(left, 1, true)
    // The look finds things as they were written before: what is told meanwhile is newer.
    parts.rooms.look = async (callIds) => {
      await note(back, 3, true)
      await note(left, 2, false)
      await note(left, 3, true)
      return new Map(callIds.map((id) => [id, { isOccupied: false, joined: 0 }]))
    }

    let after: string | undefined
    do after = await parts.calls.deadlines.rollCall(after, 1000)
    while (after !== undefined)

    for (const callId of [back, left]) expect((await api.calls.require(callId)).peersGoneSince).to.equal(null)
  })

  it('shares 3,000 due calls with others: each ends once, and each is told once', async () => {
    await api.db.raw(
      `WITH made AS (
         INSERT INTO calls (id, status, call_type, caller_id, callee_id, created_at, ring_expires_at, deadline_at)
         SELECT gen_random_uuid(), 'connecting', 'voice', gen_random_uuid(), gen_random_uuid(), at, at, at
         FROM generate_series(1, 3000), (SELECT clock_timestamp() - interval '1 s' AS at) AS clock RETURNING *)
       INSERT INTO live_participants SELECT caller_id, id FROM made UNION ALL SELECT callee_id, id FROM made`,
    )
    for (let index = 0; index < 3; index++) bench.worker()
    const left = async () =>
      (await api.db.raw(`SELECT count(*)::int AS n FROM calls WHERE status = 'connecting' AND deadline_at < now()`))
        .rows[0].n

    await eventually(async () => expect(await left()).to.equal(0))
    const { rows } = await api.db.raw(
      `SELECT count(*)::int AS told, count(DISTINCT call_id)::int AS calls, max((payload->>'version')::int) AS version,
              (SELECT count(*)::int FROM call_participants WHERE call_id IN (SELECT call_id FROM outbox)) AS history
       FROM outbox WHERE kind = 'call-changed' AND call_id IN (SELECT id FROM calls WHERE end_reason = 'no_answer'
         AND created_at = ring_expires_at)`,
    )
    expect(rows[0]).to.include({ told: 3000, calls: 3000, version: 2 })
    await eventually(async () => {
      const waiting = await api.db.raw('SELECT count(*)::int AS n FROM outbox WHERE published_at IS NULL')
      expect(waiting.rows[0].n).to.equal(0)
    })
  })
})
