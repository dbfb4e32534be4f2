/** Webhooks, where the target sends them to this run. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { trial } from '../trial.ts'

async function typesOf(bench: Bench, callId: string, count: number): Promise<string[]> {
  const receiver = bench.webhooks()
  const deadline = Date.now() + bench.settings.patienceMs
  while (receiver.of(callId).length < count && Date.now() < deadline) await pause(50)
  return receiver.of(callId).map(({ type }) => type)
}

trial(
  'events',
  'an answered call is initiated, ringing, answered, ended, in this order',
  ['webhooks'],
  async (bench) => {
    const [caller, callee] = await bench.pair()
    const call = await bench.ring(caller, callee)
    await bench.rest.request(callee, 'POST', `/api/v1/calls/${call.id}/ringing`)
    await bench.rest.answer(callee, call.id)
    await bench.rest.end(caller, call.id)
    const expected = ['call.initiated', 'call.ringing', 'call.answered', 'call.ended']
    assert.deepEqual(await typesOf(bench, call.id, expected.length), expected)
    assert.deepEqual(bench.webhooks().faults, [])
  },
)

trial('events', 'a call that nobody answers is missed, one that fails has failed', ['webhooks'], async (bench) => {
  const [caller, callee] = await bench.pair()
  const missed = await bench.ring(caller, callee)
  await bench.rest.end(callee, missed.id)
  const failed = await bench.talk(caller, callee)
  await bench.rest.end(callee, failed.id, 'connection_failed')
  assert.deepEqual(await typesOf(bench, missed.id, 2), ['call.initiated', 'call.missed'])
  assert.deepEqual(await typesOf(bench, failed.id, 3), ['call.initiated', 'call.answered', 'call.failed'])
})
