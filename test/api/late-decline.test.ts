import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { connect, createUser, ring, type TestUser } from '../support/api-client.ts'
import { sharedCluster } from '../support/clusters.ts'

/** Declines that race with an answer, through two API processes. */
const RACES = 40

describe('expected_status of DELETE', () => {
  let cluster: Cluster
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })
  const user = (): TestUser => createUser(cluster.api(0).url, cluster.jwtSecret)
  const decline = (callee: TestUser, callId: string) =>
    callee.api.end(callId, { user_id: callee.id, expected_status: 'connecting' })

  it('lets a decline through while the call rings', async () => {
    const [caller, callee] = [user(), user()]
    const callId = await ring(caller, callee)

    const declined = await decline(callee, callId)

    expect([declined.status, declined.body.end_reason]).to.deep.equal([200, 'declined'])
    const again = await decline(callee, callId)
    expect([again.status, again.error?.code]).to.deep.equal([409, 'CALL_ALREADY_ENDED'])
  })

  it('keeps a call that another device has just answered', async () => {
    const [caller, callee] = [user(), user()]
    const callId = await ring(caller, callee)
    await callee.api.answer(callId, { user_id: callee.id, device_id: 'phone' })

    const late = await decline(callee, callId)

    expect([late.status, late.error?.code, late.error?.details]).to.deep.equal([
      409,
      'CONFLICT',
      { status: 'active', answered_by_device: 'phone' },
    ])
    expect((await caller.api.status(callId)).body.status).to.equal('active')
  })

  it('says null for an answer without a device, and leaves hanging up from any device possible', async () => {
    const [caller, callee] = [user(), user()]
    const callId = await connect(caller, callee)

    const late = await decline(callee, callId)
    expect(late.error?.details).to.deep.equal({ status: 'active', answered_by_device: null })

    const hungUp = await callee.api.end(callId, { user_id: callee.id })
    expect([hungUp.status, hungUp.body.end_reason]).to.deep.equal([200, 'hangup'])
  })

  it('takes active, for a hang up that must not cancel a call that rings', async () => {
    const [caller, callee] = [user(), user()]
    const callId = await ring(caller, callee)
    const body = { user_id: caller.id, expected_status: 'active' as const }

    const early = await caller.api.end(callId, body)
    expect([early.status, early.error?.code, early.error?.details]).to.deep.equal([
      409,
      'CONFLICT',
      { status: 'connecting' },
    ])
    await callee.api.answer(callId, { user_id: callee.id })
    expect((await caller.api.end(callId, body)).status).to.equal(200)
  })

  it('is checked after who asks, and must be one of the two', async () => {
    const [caller, callee, stranger] = [user(), user(), user()]
    const callId = await connect(caller, callee)

    expect((await decline(stranger, callId)).status).to.equal(403)
    const body = { user_id: callee.id, expected_status: 'ended' }
    const wrong = await callee.api.request('DELETE', `/api/v1/calls/${callId}`, { body })
    expect([wrong.status, wrong.error?.code]).to.deep.equal([400, 'INVALID_REQUEST'])
    expect(wrong.error?.details).to.include({ field: 'expected_status' })
  })

  it('never ends a call that was answered, however the two race', async () => {
    for (let race = 0; race < RACES; race++) {
      const [caller, callee] = [user(), user()]
      const tablet = createUser(cluster.api(1).url, cluster.jwtSecret, { sub: callee.id })
      const callId = await ring(caller, callee)

      const [answered, declined] = await Promise.all([
        callee.api.answer(callId, { user_id: callee.id, device_id: 'phone' }),
        decline(tablet, callId),
      ])

      const { status } = (await caller.api.status(callId)).body
      expect([answered.status, declined.status, status], `${answered.text} ${declined.text}`).to.deep.equal(
        answered.status === 200 ? [200, 409, 'active'] : [409, 200, 'ended'],
      )
    }
  }).timeout(60_000)
})
