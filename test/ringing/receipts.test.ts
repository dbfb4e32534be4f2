import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall, newUser, openChannel } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS } from '../support/connect-peer.ts'
import type { AnyMessage, MessageOf } from '../support/inbox.ts'

const isRinging = (message: AnyMessage) => message.type === 'call-status' && message.ring_state === 'ringing'

describe('a receipt of ringing', () => {
  let cluster: Cluster
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  for (const kind of PEER_KINDS) {
    describe(kind, () => {
      it('is told to the caller on all connections of any node, as a status that is still connecting', async () => {
        const [caller, callee] = [newUser(cluster), newUser(cluster)]
        const phone = await openChannel(cluster, callee, kind, { at: 1 })
        const call = await newCall(cluster, { caller, callee })
        const told = [
          await openChannel(cluster, caller, kind, { at: 0 }),
          await openChannel(cluster, caller, kind, { at: 1 }),
          await call.caller.connect(kind, { at: 0 }),
          await call.caller.joinAs(kind, { at: 1 }),
        ]
        const { call_id } = await phone.next('incoming-call')

        const reply = await phone.sendAndAck(phone.ringingMessage(call_id, { id: 'r' }))

        expect(reply.ok).to.equal(true)
        for (const peer of told) {
          const status = (await peer.next(isRinging)) as MessageOf<'call-status'>
          expect(status).to.include({ call_id: call.id, status: 'connecting', version: 2 })
        }
        await call.answer()
        for (const peer of told) {
          const active = (await peer.next(
            (message) => message.type === 'call-status' && message.status === 'active',
          )) as MessageOf<'call-status'>
          expect(active.version).to.equal(3)
          expect(active).not.to.have.property('ring_state')
        }
      })

      it('changes nothing when it is repeated, by this device or another one', async () => {
        const [caller, callee] = [newUser(cluster), newUser(cluster)]
        const watching = await openChannel(cluster, caller, kind)
        const phone = await openChannel(cluster, callee, kind, { at: 0 })
        const tablet = await openChannel(cluster, callee, kind, { at: 1 })
        const call = await newCall(cluster, { caller, callee })

        for (const device of [phone, phone, tablet, tablet])
          expect((await device.sendAndAck(device.ringingMessage(call.id, { id: randomUUID() }))).ok).to.equal(true)
        await call.end()

        await watching.next((message) => message.type === 'call-status' && message.status === 'ended')
        expect(watching.all('call-status').map(({ version }) => version)).to.deep.equal([2, 3])
      })

      it('of a call that is answered, over, unknown or of others is refused, and the channel stays', async () => {
        const callee = newUser(cluster)
        const channel = await openChannel(cluster, callee, kind)
        const receipt = (callId: string) => channel.sendAndAck(channel.ringingMessage(callId, { id: randomUUID() }))
        const codeOf = async (callId: string) => {
          const reply = await receipt(callId)
          return reply.ok ? 'ok' : reply.error.code
        }
        const call = await newCall(cluster, { callee })
        expect(await codeOf(call.id)).to.equal('ok')
        await call.answer()
        await channel.next((message) => message.type === 'call-status' && message.status === 'active')
        expect(await codeOf(call.id)).to.equal('CONFLICT')
        await call.end()
        expect(await codeOf(call.id)).to.equal('CALL_ALREADY_ENDED')
        expect(await codeOf(randomUUID())).to.equal('CALL_NOT_FOUND')
        const own = await newCall(cluster, { caller: callee })
        expect(await codeOf(own.id)).to.equal('FORBIDDEN')
        expect(await codeOf((await newCall(cluster)).id)).to.equal('FORBIDDEN')
        const foreign = channel.ringingMessage(own.id, { user_id: randomUUID(), id: 'f' })
        expect(await channel.sendAndAck(foreign)).to.have.nested.property('error.code', 'FORBIDDEN')
        await own.end()

        const next = await newCall(cluster, { callee })
        await channel.next((message) => message.type === 'incoming-call' && message.call_id === next.id)
        expect(await codeOf(next.id)).to.equal('ok')
      })

      it('goes over no call connection', async () => {
        const call = await newCall(cluster)
        const peer = await call.callee.joinAs(kind)

        peer.send(peer.ringingMessage(call.id))

        expect((await peer.next('error')).error.code).to.equal('SIGNALING_ERROR')
        expect((await call.status()).ring_state).to.equal(undefined)
      })
    })
  }

  it('over HTTP does the same, as often as it is sent, and says how long to ring', async () => {
    const call = await newCall(cluster)
    const watching = await openChannel(cluster, call.caller.user, 'raw', { at: 1 })
    const { api, id } = call.callee.user

    const first = await api.ringing(call.id)
    const again = await api.ringing(call.id, { user_id: id })

    for (const { status, body } of [first, again]) {
      expect(status).to.equal(200)
      expect(body).to.include({ call_id: call.id, status: 'connecting', ring_state: 'ringing' })
      expect(Date.parse(body.expires_at) - Date.parse(body.server_time)).to.be.within(1, 45_000)
    }
    expect(await watching.next(isRinging)).to.include({ version: 2 })
    expect(await call.status()).to.include({ status: 'connecting', version: 2, ring_state: 'ringing' })
    const [active] = (await api.activeCalls(id)).body.active_calls
    expect(active).to.include({ call_id: call.id, initiated_by: call.caller.id, ring_state: 'ringing' })
    expect(active?.expires_at).to.equal(first.body.expires_at)
  })

  it('over HTTP is refused to all but the callee, and once there is nothing to ring for', async () => {
    const call = await newCall(cluster)
    const { api } = call.callee.user
    const codes = async (...responses: ReturnType<typeof api.ringing>[]) =>
      (await Promise.all(responses)).map(({ status, error }) => `${status} ${error?.code}`)

    expect(
      await codes(
        call.caller.user.api.ringing(call.id),
        newUser(cluster).api.ringing(call.id),
        api.ringing(call.id, { user_id: call.caller.id }),
        api.ringing(randomUUID()),
        api.ringing('x'),
      ),
    ).to.deep.equal(['403 FORBIDDEN', '403 FORBIDDEN', '403 FORBIDDEN', '404 CALL_NOT_FOUND', '400 INVALID_REQUEST'])
    expect((await call.status()).version).to.equal(1)
    await call.answer()
    expect(await codes(api.ringing(call.id))).to.deep.equal(['409 CONFLICT'])
    await call.end()
    expect(await codes(api.ringing(call.id))).to.deep.equal(['409 CALL_ALREADY_ENDED'])
  })

  it('is told to who joins later, too', async () => {
    const call = await newCall(cluster)
    await call.callee.user.api.ringing(call.id)

    const { status } = await (await call.caller.connect('raw')).join()

    expect(status).to.include({ status: 'connecting', version: 2, ring_state: 'ringing' })
  })
})
