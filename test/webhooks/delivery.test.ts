import { expect } from 'chai'
import { PUBLIC_URL, pair } from '../calls/bench.ts'
import { eventually } from '../support/eventually.ts'
import { patient } from '../support/patience.ts'
import { WebhookBench, webhookEnv, wholeCall } from './bench.ts'
import { randomWebhookSecret } from './receiver.ts'

describe('webhooks', () => {
  let bench: WebhookBench
  before(async () => {
    bench = await WebhookBench.start()
  })
  afterEach(() => bench.reset())
  after(() => bench.stop())

  it('tell of everything that happens to a call, in order, and signed', async () => {
    const receiver = await bench.receiver()
    const env = webhookEnv([receiver], { PUBLIC_URL })
    const parts = bench.service(env)
    bench.couriers(env)
    const users = pair()

    const { call } = await parts.calls.initiate(users)
    await parts.calls.rings.confirm(call.id, users.calleeId)
    await parts.calls.rings.confirm(call.id, users.calleeId)
    const answered = await parts.calls.answer(call.id, users.calleeId, 'phone')
    const ended = await parts.calls.end(call.id, users.callerId, 'user_hangup')

    const all = ['call.initiated', 'call.ringing', 'call.answered', 'call.ended']
    await eventually(() => expect(receiver.typesOf(call.id)).to.deep.equal(all))
    expect(receiver.receipts).to.have.length(4)
    expect(receiver.faults).to.deep.equal([])
    const [initiated, ringing, , over] = receiver.taken
    expect(initiated).to.deep.include({ id: `evt_${call.id}_initiated`, attempt: 1 })
    expect(initiated?.data).to.deep.equal({
      call_id: call.id,
      caller_id: users.callerId,
      callee_id: users.calleeId,
      call_type: 'video',
      status: 'connecting',
      version: 1,
      created_at: call.createdAt.toISOString(),
      expires_at: call.ringExpiresAt.toISOString(),
      signaling_url: `${PUBLIC_URL.replace('https', 'wss')}/ws/signaling/${call.id}`,
    })
    expect(ringing?.data).to.deep.equal({ ...initiated?.data, version: 2 })
    expect(over?.data).to.deep.include({
      status: 'ended',
      version: 4,
      answered_at: answered.answeredAt?.toISOString(),
      answered_by_device: 'phone',
      ended_at: ended.endedAt?.toISOString(),
      end_reason: 'hangup',
      duration: 0,
    })
    expect(Date.parse(over?.sent_at ?? '') - Date.parse(over?.created_at ?? '')).to.be.within(0, patient(2000))
  })

  it('arrive within a second of the commit', async () => {
    const receiver = await bench.receiver()
    const env = webhookEnv([receiver])
    const { calls } = bench.service(env)
    bench.couriers(env)
    const waits: number[] = []
    for (let made = 1; made <= 7; made++) {
      await calls.initiate(pair())
      const committedAt = performance.now()
      await eventually(() => expect(receiver.receipts).to.have.length(made))
      waits.push((receiver.receipts.at(-1)?.atMs ?? Number.POSITIVE_INFINITY) - committedAt)
    }

    // The machine may be busy for a moment, not for most of them.
    expect(waits.sort((a, b) => a - b)[3]).to.be.below(patient(1000))
  })

  it('end a call once, by what it is in the history', async () => {
    const receiver = await bench.receiver()
    const env = webhookEnv([receiver])
    const { calls } = bench.service(env)
    bench.couriers(env)
    const finish = async (who: 'callerId' | 'calleeId', reason: 'user_hangup' | 'connection_failed' | 'timeout') => {
      const users = pair()
      const { call } = await calls.initiate(users)
      await calls.end(call.id, users[who], reason)
      return call.id
    }

    const missed = [
      await finish('callerId', 'user_hangup'),
      await finish('calleeId', 'user_hangup'),
      await finish('calleeId', 'timeout'),
    ]
    const failed = await finish('callerId', 'connection_failed')

    for (const id of missed)
      await eventually(() => expect(receiver.typesOf(id)).to.deep.equal(['call.initiated', 'call.missed']))
    await eventually(() => expect(receiver.typesOf(failed)).to.deep.equal(['call.initiated', 'call.failed']))
    const reasons = receiver.taken.flatMap(({ type, data }) => (type === 'call.missed' ? [data.end_reason] : []))
    expect(reasons).to.have.members(['canceled', 'declined', 'no_answer'])
  })

  it('are written by the limit that ends many calls at once', async () => {
    const receiver = await bench.receiver()
    const env = webhookEnv([receiver])
    const { calls, db } = bench.service(env)
    const ids = await Promise.all(Array.from({ length: 5 }, async () => (await calls.initiate(pair())).call.id))
    await db.raw(`UPDATE calls SET deadline_at = deadline_at - interval '60 s' WHERE id = ANY (?)`, [ids])

    expect(await calls.deadlines.endUnanswered(100)).to.be.at.least(5)
    bench.couriers(env)

    for (const id of ids)
      await eventually(() => expect(receiver.typesOf(id)).to.deep.equal(['call.initiated', 'call.missed']))
  })

  it('go to each endpoint that wants them, under one id, signed for it alone', async () => {
    const [all, ends] = [await bench.receiver(), await bench.receiver()]
    const env = webhookEnv([all, ends], { WEBHOOK_EVENTS: 'hook-2=call.ended|call.missed' })
    const parts = bench.service(env)
    bench.couriers(env)

    const callId = await wholeCall(parts)

    await eventually(() => expect(all.typesOf(callId)).to.have.length(4))
    await eventually(() => expect(ends.typesOf(callId)).to.deep.equal(['call.ended']))
    expect(ends.taken[0]?.id).to.equal(all.taken[3]?.id)
    expect([...all.faults, ...ends.faults]).to.deep.equal([])
    expect(all.secret).to.not.equal(ends.secret)
  })

  it('are signed with the old and the new secret while secrets change', async () => {
    const [before, after] = [randomWebhookSecret(), randomWebhookSecret()]
    const receivers = [await bench.receiver({ secret: before }), await bench.receiver({ secret: after })]
    const env = webhookEnv(receivers, { WEBHOOK_SECRETS: `${before}|${after}` })
    const parts = bench.service(env)
    bench.couriers(env)

    const { call } = await parts.calls.initiate(pair())

    for (const receiver of receivers) {
      await eventually(() => expect(receiver.typesOf(call.id)).to.have.length(1))
      expect(receiver.faults).to.deep.equal([])
    }
  })

  it('go to no private address without leave, and wait', async () => {
    const receiver = await bench.receiver()
    const env = webhookEnv([receiver], {
      WEBHOOK_URLS: `hook-1=http://localhost:${receiver.port}/`,
      WEBHOOK_ALLOW_PRIVATE: 'false',
    })
    await bench.service(env).calls.initiate(pair())
    const { platform } = bench.couriers(env)

    await eventually(async () => {
      const attempts = await platform.registry.getSingleMetricAsString('webhook_attempts_total')
      expect(attempts).to.match(/outcome="refused_address"[^}]*} [2-9]/)
    })
    expect(receiver.receipts).to.have.length(0)
    expect(await bench.pending()).to.equal(1)
  })

  it('are not written at all where nobody is configured, or wants them', async () => {
    const receiver = await bench.receiver()
    const services = [bench.service({}), bench.service(webhookEnv([receiver], { WEBHOOK_EVENTS: 'call.failed' }))]

    for (const { calls } of services) {
      const users = pair()
      const { call } = await calls.initiate(users)
      await calls.answer(call.id, users.calleeId, 'phone')
      await calls.end(call.id, users.calleeId, 'user_hangup')
    }

    expect((await bench.written()).size).to.equal(0)
  })

  it('vanish with the transaction that they belong to', async () => {
    const env = webhookEnv([await bench.receiver()])
    const { calls } = bench.service(env)
    const users = pair()
    const { call } = await calls.initiate(users)

    const refused = await Promise.allSettled([
      calls.initiate(users),
      calls.initiate({ ...pair(), calleeId: users.callerId }),
    ])

    expect(refused.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected'])
    expect([...(await bench.written()).keys()]).to.deep.equal([call.id])
  })
})
