/** The call's states: how each ends, and what the history then says. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { assertError } from '../shapes.ts'
import { trial } from '../trial.ts'

const ENDINGS = [
  { by: 'caller', answered: false, reason: 'user_hangup', status: 'ended', endReason: 'canceled', kept: 'missed' },
  { by: 'callee', answered: false, reason: 'user_hangup', status: 'ended', endReason: 'declined', kept: 'missed' },
  { by: 'caller', answered: false, reason: 'timeout', status: 'ended', endReason: 'no_answer', kept: 'missed' },
  {
    by: 'callee',
    answered: false,
    reason: 'connection_failed',
    status: 'failed',
    endReason: 'connection_failed',
    kept: 'failed',
  },
  { by: 'callee', answered: true, reason: 'user_hangup', status: 'ended', endReason: 'hangup', kept: 'completed' },
  { by: 'caller', answered: true, reason: 'timeout', status: 'ended', endReason: 'timeout', kept: 'completed' },
  {
    by: 'caller',
    answered: true,
    reason: 'connection_failed',
    status: 'failed',
    endReason: 'connection_failed',
    kept: 'failed',
  },
] as const

for (const { by, answered, reason, status, endReason, kept } of ENDINGS)
  trial(
    'states',
    `${reason} of the ${by} ${answered ? 'after' : 'before'} the answer is ${status}, ${endReason}, and ${kept} in the history`,
    async (bench) => {
      const [caller, callee] = await bench.pair()
      const call = answered ? await bench.talk(caller, callee) : await bench.ring(caller, callee)
      const { body } = await bench.rest.end(by === 'caller' ? caller : callee, call.id, reason)
      assert.deepEqual([body.status, body.end_reason], [status, endReason])
      for (const user of [caller, callee]) {
        const [entry] = (await bench.rest.history(user, '?limit=1')).body.calls
        assert.deepEqual([entry.call_id, entry.status, entry.end_reason], [call.id, kept, endReason])
      }
    },
  )

trial('states', 'a ring that nobody answers ends by itself as no_answer', ['short-rings'], async (bench) => {
  const [caller, callee] = await bench.pair()
  const channel = await bench.connect('raw WebSocket', callee)
  const call = await bench.ring(caller, callee)
  await channel.next('incoming-call')
  await pause(1000 * bench.settings.ringSeconds)
  const over = await channel.next('call-status')
  assert.deepEqual([over.status, over.end_reason], ['ended', 'no_answer'])
  assertError(await bench.rest.answer(callee, call.id), 409, 'CALL_ALREADY_ENDED')
  assert.equal((await bench.rest.initiate(callee, caller)).status, 201)
  const { body } = await bench.rest.active(callee)
  await bench.rest.end(callee, body.active_calls[0].call_id)
})

trial('idempotency', 'the same key and body are answered by the same call, another body is CONFLICT', async (bench) => {
  const [caller, callee] = await bench.pair()
  const headers = { 'idempotency-key': `key of ${caller.id} at ${Date.now()}` }
  const first = await bench.rest.initiate(caller, callee, { headers })
  const again = await bench.rest.initiate(caller, callee, { headers })
  assert.deepEqual([again.status, again.body, again.headers.get('idempotent-replayed')], [201, first.body, 'true'])
  assertError(await bench.rest.initiate(caller, callee, { headers, type: 'video' }), 409, 'CONFLICT')
  await bench.rest.end(caller, first.body.call_id)
  const over = await bench.rest.initiate(caller, callee, { headers })
  assert.deepEqual([over.status, over.body], [201, first.body])
})

trial('idempotency', 'twins at the same moment make one call', async (bench) => {
  const [caller, callee] = await bench.pair()
  const headers = { 'idempotency-key': `twins of ${caller.id} at ${Date.now()}` }
  const twins = await Promise.all(Array.from({ length: 5 }, () => bench.rest.initiate(caller, callee, { headers })))
  const ids = new Set(twins.map(({ body }) => body.call_id))
  await bench.rest.end(caller, twins[0]?.body.call_id ?? '')
  assert.deepEqual([twins.map(({ status }) => status), ids.size], [[201, 201, 201, 201, 201], 1])
})

trial(
  'glare',
  'of two users who call each other one gets 201, the other 409 with the call to answer',
  async (bench) => {
    const [one, other] = await bench.pair()
    const answers = await Promise.all([bench.rest.initiate(one, other), bench.rest.initiate(other, one)])
    const made = answers.find(({ status }) => status === 201)
    const refused = answers.find(({ status }) => status === 409)
    await bench.rest.end(one, made?.body.call_id ?? '')
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409])
    assert.deepEqual(
      [refused?.body.error.code, refused?.body.error.details?.call_id],
      ['USER_ALREADY_IN_CALL', made?.body.call_id],
    )
  },
)

trial('glare', 'with on_glare: merge (additive) the later one answers the earlier call', async (bench) => {
  const [one, other] = await bench.pair()
  const call = await bench.ring(one, other, 'video')
  const merged = await bench.rest.initiate(other, one, { extra: { on_glare: 'merge' } })
  assert.equal(merged.status, 200, merged.text)
  const { call_id, status, role, merged: isMerged, call_type } = merged.body
  assert.deepEqual([call_id, status, role, isMerged, call_type], [call.id, 'active', 'callee', true, 'video'])
  assert.equal((await bench.rest.status(one, call.id)).body.status, 'active')
})

trial('states', 'decline_ringing (additive) declines what rings the caller, and makes the new call', async (bench) => {
  const [caller, callee, third] = await bench.trio()
  const ringing = await bench.ring(caller, callee)
  const made = await bench.rest.initiate(callee, third, { extra: { decline_ringing: true } })
  assert.equal(made.status, 201, made.text)
  await bench.rest.end(callee, made.body.call_id)
  const [entry] = (await bench.rest.history(caller, '?limit=1')).body.calls
  assert.deepEqual([entry.call_id, entry.status, entry.end_reason], [ringing.id, 'missed', 'busy'])
})
