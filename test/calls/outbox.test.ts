import { expect } from 'chai'
import { eventually } from '../support/eventually.ts'
import { Bench, pair, type ServiceParts } from './bench.ts'

describe('the outbox', () => {
  let bench: Bench
  let parts: ServiceParts
  before(async () => {
    bench = await Bench.start()
  })
  beforeEach(() => {
    parts = bench.service()
  })
  after(() => bench.stop())

  const unpublished = async (callId: string) =>
    (await parts.db.raw('SELECT kind FROM outbox WHERE call_id = ? AND published_at IS NULL', [callId])).rows.length
  const age = (callId: string) =>
    parts.db.raw(`UPDATE outbox SET created_at = created_at - interval '2 s' WHERE call_id = ?`, [callId])

  /** A process that dies after its commits and before its publishes. */
  const liveAndDie = async (upTo: 'ringing' | 'active' | 'ended') => {
    const dying = bench.service()
    dying.publisher.away = true
    const users = pair()
    const { call } = await dying.calls.initiate(users)
    if (upTo !== 'ringing') await dying.calls.answer(call.id, users.calleeId, 'phone')
    if (upTo === 'ended') await dying.calls.end(call.id, users.calleeId, 'user_hangup')
    return call
  }

  it('is done with an event only when its publish is', async () => {
    const { call } = await parts.calls.initiate(pair())

    await eventually(async () => expect(await unpublished(call.id)).to.equal(0))
    expect(parts.publisher.of(call.id)).to.have.length(1)
    expect(await unpublished((await liveAndDie('active')).id)).to.equal(2)
  })

  it('publishes what a dead process left over, in order and once, whoever drains', async () => {
    const calls = [await liveAndDie('active'), await liveAndDie('active'), await liveAndDie('ended')]
    for (const call of calls) await age(call.id)
    const { publisher } = parts
    const drains = [parts, bench.service({ publisher }), bench.service({ publisher })]

    await Promise.all(drains.map((drain) => drain.calls.outbox.publishLeftovers(2)))
    for (const drain of drains) while ((await drain.calls.outbox.publishLeftovers(2)) > 0);

    for (const call of calls) {
      const versions = publisher.of(call.id).map(({ payload }) => payload.message.version)
      // The ring is over, so it does not ring any more.
      expect(versions).to.deep.equal(call === calls[2] ? [2, 3] : [2])
      expect(await unpublished(call.id)).to.equal(0)
    }
  })

  it('still rings a call that is ringing', async () => {
    const call = await liveAndDie('ringing')
    await age(call.id)

    while ((await parts.calls.outbox.publishLeftovers(100)) > 0);

    expect(parts.publisher.of(call.id).map(({ kind }) => kind)).to.deep.equal(['call-ringing'])
  })

  it('keeps everything while Redis is away, leaves young events alone, and counts them', async () => {
    const old = await liveAndDie('active')
    const young = await liveAndDie('active')
    await age(old.id)
    parts.publisher.away = true

    expect(await parts.calls.outbox.publishLeftovers(100)).to.be.at.most(1)
    await parts.calls.outbox.observe()
    expect(await parts.registry.getSingleMetricAsString('outbox_pending')).to.match(/outbox_pending [1-9]/)
    parts.publisher.away = false
    while ((await parts.calls.outbox.publishLeftovers(100)) > 0);

    expect(await unpublished(old.id)).to.equal(0)
    expect(await unpublished(young.id)).to.equal(2)
    expect(parts.publisher.of(young.id)).to.have.length(0)
  })

  it('publishes the events of one group past those of another whose Redis is away', async () => {
    const stuck = await liveAndDie('active')
    const free = await liveAndDie('active')
    await parts.db.raw(`UPDATE outbox SET payload = payload || '{"call_group": "two"}' WHERE call_id = ?`, [stuck.id])
    for (const call of [stuck, free]) await age(call.id)
    const told: string[] = []
    const { outbox } = bench.service({
      events: {
        async publish(_kind, { message }, group) {
          if (group === 'two') throw new Error('redis is away')
          told.push(message.call_id)
        },
      },
    }).calls

    expect(await outbox.publishLeftovers(100, { name: 'two', others: undefined })).to.be.at.most(1)
    // One at a time: whoever stood in front would stop it.
    while ((await outbox.publishLeftovers(1, { name: 'one', others: ['two'] })) > 0);

    expect(told).to.include(free.id).and.not.include(stuck.id)
    expect(await unpublished(free.id)).to.equal(0)
    expect(await unpublished(stuck.id)).to.be.at.least(1)
  })

  it('forgets what was published longer ago than the retention, and nothing else', async () => {
    const { call } = await parts.calls.initiate(pair())
    const kept = await liveAndDie('active')
    await eventually(async () => expect(await unpublished(call.id)).to.equal(0))
    expect(await parts.calls.outbox.purge(1000)).to.equal(0)
    await parts.db.raw(`UPDATE outbox SET published_at = published_at - interval '8 days' WHERE call_id = ?`, [call.id])

    expect(await parts.calls.outbox.purge(1000)).to.equal(1)
    expect(await unpublished(kept.id)).to.equal(2)
  })
})
