/** The history of calls that are over. */
import assert from 'node:assert/strict'
import type { Bench } from '../bench.ts'
import { assertError, assertShape, history } from '../shapes.ts'
import { trial } from '../trial.ts'
import type { User } from '../users.ts'

/** A call of each outcome, the oldest first. */
async function oneOfEach(
  bench: Bench,
  caller: User,
  callee: User,
): Promise<{ completed: string; missed: string; failed: string }> {
  const completed = await bench.talk(caller, callee)
  await bench.rest.end(callee, completed.id)
  const missed = await bench.ring(caller, callee, 'video')
  await bench.rest.end(caller, missed.id)
  const failed = await bench.talk(callee, caller)
  await bench.rest.end(caller, failed.id, 'connection_failed')
  return { completed: completed.id, missed: missed.id, failed: failed.id }
}

async function total(bench: Bench, user: User, query = ''): Promise<number> {
  const { body } = await bench.rest.history(user, query)
  return assertShape(history, body).pagination.total
}

trial('history', 'both participants have every call that is over, newest first', async (bench) => {
  const [caller, callee] = await bench.pair()
  const { completed, missed, failed } = await oneOfEach(bench, caller, callee)
  for (const user of [caller, callee]) {
    const { calls } = assertShape(history, (await bench.rest.history(user, '?limit=3')).body)
    assert.deepEqual(
      calls.map(({ call_id, status, type, initiated_by }) => [call_id, status, type, initiated_by]),
      [
        [failed, 'failed', 'voice', callee.id],
        [missed, 'missed', 'video', caller.id],
        [completed, 'completed', 'voice', caller.id],
      ],
    )
    for (const { participants } of calls) assert.deepEqual([...participants].sort(), [caller.id, callee.id].sort())
  }
})

trial('history', 'total counts every call that the filters let pass, and no other', async (bench) => {
  const [caller, callee] = await bench.pair()
  const filters = [
    '',
    '?status=completed',
    '?status=missed',
    '?status=failed',
    '?call_type=video',
    '?call_type=voice&status=failed',
  ]
  const before = await Promise.all(filters.map((filter) => total(bench, caller, filter)))
  await oneOfEach(bench, caller, callee)
  const after = await Promise.all(filters.map((filter) => total(bench, caller, filter)))
  assert.deepEqual(
    after.map((count, index) => count - (before[index] ?? 0)),
    [3, 1, 1, 1, 1, 1],
  )
})

trial('history', 'a live call is not in it', async (bench) => {
  const [caller, callee] = await bench.pair()
  const before = await total(bench, callee)
  const call = await bench.talk(caller, callee)
  assert.equal(await total(bench, callee), before)
  await bench.rest.end(caller, call.id)
  assert.equal(await total(bench, callee), before + 1)
})

trial('history', 'limit and offset page through it, and has_more tells the last page', async (bench) => {
  const [caller, callee] = await bench.pair()
  const { completed, missed, failed } = await oneOfEach(bench, caller, callee)
  const all = await total(bench, caller)
  const pages = await Promise.all([0, 1, 2].map((offset) => bench.rest.history(caller, `?limit=1&offset=${offset}`)))
  assert.deepEqual(
    pages.map(({ body }) => body.calls[0].call_id),
    [failed, missed, completed],
  )
  assert.deepEqual(
    pages.map(({ body }) => body.pagination.has_more),
    [all > 1, all > 2, all > 3],
  )
  const beyond = assertShape(history, (await bench.rest.history(caller, `?offset=${all}`)).body)
  assert.deepEqual([beyond.calls, beyond.pagination], [[], { limit: 50, offset: all, total: all, has_more: false }])
})

trial('history', 'a cursor (additive) pages without drift while calls are added', async (bench) => {
  const [caller, callee] = await bench.pair()
  const { completed, missed, failed } = await oneOfEach(bench, caller, callee)
  const first = await bench.rest.history(caller, '?limit=1')
  await oneOfEach(bench, caller, callee)
  const second = await bench.rest.history(
    caller,
    `?limit=2&cursor=${encodeURIComponent(first.body.pagination.next_cursor)}`,
  )
  assert.deepEqual(
    [first, second].flatMap(({ body }) => body.calls.map((call: { call_id: string }) => call.call_id)),
    [failed, missed, completed],
  )
})

trial(
  'history',
  'limits, offsets and filters out of range are INVALID_REQUEST, the edges of the range are not',
  async (bench) => {
    const user = await bench.user()
    const bad = [
      '?limit=0',
      '?limit=201',
      '?limit=x',
      '?offset=-1',
      '?status=ended',
      '?call_type=fax',
      '?sort=asc',
      '?cursor=mine',
    ]
    for (const query of bad) assertError(await bench.rest.history(user, query), 400, 'INVALID_REQUEST')
    for (const query of ['?limit=1', '?limit=200', '?offset=0'])
      assert.equal((await bench.rest.history(user, query)).status, 200)
  },
)
