import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { joinBoth, newCall, newUser, openChannel } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS, refusalOf } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'

describe('connections of a user', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  for (const kind of PEER_KINDS) {
    describe(kind, () => {
      it('are five to calls in the whole cluster; the sixth gets RATE_LIMITED until one is gone', async () => {
        const call = await newCall(cluster)
        const peers = await Promise.all([0, 0, 0, 1, 1].map((at) => call.caller.connect(kind, { at })))

        for (const at of [0, 1]) {
          const refused = await refusalOf(kind, call.caller.optionsFor({ at }))
          expect(refused.code).to.equal('RATE_LIMITED')
          if (kind === 'raw') expect(refused.status).to.equal(429)
        }
        // The other user has five of its own, and channels are counted apart.
        await call.callee.connect(kind)
        await openChannel(cluster, call.caller.user, kind)

        await peers[0]?.close()
        await eventually(() => call.caller.connect(kind))
      })

      it('are five user channels in the whole cluster; the sixth gets RATE_LIMITED', async () => {
        const user = newUser(cluster)
        const open = (at: number) => openChannel(cluster, user, kind, { at })
        const channels = await Promise.all([0, 0, 1, 1, 1].map(open))

        for (const url of [cluster.gateway(0).url, cluster.gateway(1).url]) {
          const refused = await refusalOf(kind, { url, userId: user.id, token: user.token })
          expect(refused.code).to.equal('RATE_LIMITED')
          if (kind === 'raw') expect(refused.status).to.equal(429)
        }
        const call = await newCall(cluster, { caller: user })
        await call.caller.connect(kind)

        await channels[4]?.terminate()
        await eventually(() => open(0))
      })

      it('are never more than five, however many are opened at once', async () => {
        const call = await newCall(cluster)

        const attempts = await Promise.allSettled(
          Array.from({ length: 20 }, (_, index) => call.caller.connect(kind, { at: index % 2 })),
        )

        expect(attempts.filter(({ status }) => status === 'fulfilled')).to.have.lengthOf(5)
      })

      it('are counted last: whoever may not connect anyway hears why', async () => {
        const call = await newCall(cluster)
        await Promise.all([0, 0, 0, 1, 1].map((at) => call.caller.connect(kind, { at })))
        const foreign = await newCall(cluster)

        const refused = await refusalOf(kind, foreign.caller.optionsFor({ token: call.caller.token }))

        expect(refused.code).to.equal('FORBIDDEN')
      })

      it('of one device to one call replace each other, on one gateway and across two', async () => {
        for (const at of [0, 1]) {
          const call = await newCall(cluster, { callerClaims: { device_id: 'phone' } })
          const { caller: old, callee } = await joinBoth(call, { caller: kind })

          const fresh = await call.caller.joinAs(kind, { at })

          const closing = await old.closed
          if (kind === 'raw') expect(closing.code).to.equal(4409)
          else expect(closing.reason).to.equal('io server disconnect')
          callee.offer('s')
          expect((await fresh.next('offer')).sdp).to.equal('s')
          fresh.offer('back')
          expect((await callee.next('offer')).sdp).to.equal('back')
          // For the other side nothing has happened.
          expect(callee.all('user-left')).to.have.lengthOf(0)
          expect(callee.all('user-joined')).to.have.lengthOf(1)
        }
      })

      it('of one device that changes its network again and again are never too many', async () => {
        const call = await newCall(cluster, { callerClaims: { device_id: 'phone' } })

        for (let change = 0; change < 12; change++) await call.caller.joinAs(kind, { at: change % 2 })
      })

      it('of one device to two calls in turn do not disturb each other, nor its user channel', async () => {
        const caller = newUser(cluster, { device_id: 'phone' })
        const channel = await openChannel(cluster, caller, kind)
        const first = await newCall(cluster, { caller })
        await first.caller.joinAs(kind)

        await first.end()
        expect((await channel.next('call-status')).call_id).to.equal(first.id)
        const second = await newCall(cluster, { caller })
        const peer = await second.caller.joinAs(kind, { at: 1 })

        const callee = await second.callee.joinAs()
        callee.offer('s')
        await peer.next('offer')
        await second.end()
        expect((await channel.next('call-status')).call_id).to.equal(second.id)
      })
    })
  }

  it('take the jti of a token for its device where it names none', async () => {
    const call = await newCall(cluster, { callerClaims: { jti: 'token-1' } })
    const old = await call.caller.joinAs()
    const other = await call.caller.joinAs('raw', { token: call.caller.tokenWith({ jti: 'token-2' }) })

    await call.caller.joinAs('raw', { at: 1 })

    expect((await old.closed).code).to.equal(4409)
    other.offer('still here', { id: 1 })
    await other.next('ack')
  })
})
