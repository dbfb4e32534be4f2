/** Requests at the same moment: one wins, and the others are told so. */
import assert from 'node:assert/strict'
import { trial } from '../trial.ts'

const ROUNDS = 5

trial('races', 'of many who call one user at once exactly one gets through', async (bench) => {
  const [callee, ...callers] = await bench.users(bench.settings.secret === undefined ? 3 : 9)
  if (callee === undefined) throw new Error('a user')
  const answers = await Promise.all(callers.map((caller) => bench.rest.initiate(caller, callee)))
  const winner = callers[answers.findIndex(({ status }) => status === 201)]
  const { body } = await bench.rest.active(callee)
  if (winner !== undefined) await bench.rest.end(winner, body.active_calls[0].call_id)
  assert.equal(answers.filter(({ status }) => status === 201).length, 1)
  for (const {
    status,
    body: { error },
  } of answers)
    assert.ok(status === 201 || error.code === 'USER_ALREADY_IN_CALL')
})

trial('races', 'of an answer, a cancel and a decline at once one decides, and all see the same', async (bench) => {
  const [caller, callee] = await bench.pair()
  for (let round = 0; round < ROUNDS; round++) {
    const call = await bench.ring(caller, callee)
    const [answer, cancel, decline] = await Promise.all([
      bench.rest.answer(callee, call.id),
      bench.rest.end(caller, call.id),
      bench.rest.end(callee, call.id),
    ])
    assert.deepEqual([cancel, decline].map(({ status }) => status).sort(), [200, 409])
    const { body } = await bench.rest.status(caller, call.id)
    assert.equal(body.status, 'ended')
    const [entry] = (await bench.rest.history(caller, '?limit=1')).body.calls
    assert.deepEqual([entry.call_id, entry.status], [call.id, answer.status === 200 ? 'completed' : 'missed'])
    // The answered call of each round keeps the limit of unanswered ones away.
    const settled = await bench.talk(caller, callee)
    await bench.rest.end(caller, settled.id)
  }
})

trial('races', 'of two devices that answer at once one wins', async (bench) => {
  const [caller, callee] = await bench.pair()
  for (let round = 0; round < ROUNDS; round++) {
    const call = await bench.ring(caller, callee)
    const answers = await Promise.all(
      ['phone', 'tablet'].map((device_id) => bench.rest.answer(callee, call.id, { device_id })),
    )
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409])
    await bench.rest.end(caller, call.id)
  }
})
