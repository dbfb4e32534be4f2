import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { joinBoth, newCall, newUser, openChannel } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS, refusalOf } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'
import type { Peer } from '../support/peer.ts'

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

      it('take their device from the token, else from the handshake, never from the jti of a token', async () => {
        const call = await newCall(cluster)
        const tokens = Array.from({ length: 12 }, (_, index) => call.caller.tokenWith({ jti: `token-${index}` }))

        // A token is renewed with each connection: the device stays the same, and the dead connections give way.
        const peers: Peer[] = []
        for (const [index, token] of tokens.entries())
          peers.push(await call.caller.joinAs(kind, { token, device: 'phone', at: index % 2 }))

        await Promise.all(peers.slice(0, -1).map(({ closed }) => closed))
        const named = await call.caller.joinAs(kind, {
          token: call.caller.tokenWith({ jti: 'one-more', device_id: 'phone' }),
          device: 'tablet',
        })
        await peers.at(-1)?.closed
        expect((await named.sendAndAck(named.offerMessage('s'))).ok).to.equal(true)
      })

      it('are each a device of their own where only a jti tells tokens apart', async () => {
        const call = await newCall(cluster)
        const token = call.caller.tokenWith({ jti: 'token-1' })
        const first = await call.caller.joinAs(kind, { token })
        const second = await call.caller.joinAs(kind, { token, at: 1 })

        for (const peer of [first, second]) expect((await peer.sendAndAck(peer.offerMessage('s'))).ok).to.equal(true)
      })

      it('of a callee that answers and reconnects with renewed tokens stay in the call', async () => {
        for (const device of ['phone', undefined]) {
          const call = await newCall(cluster)
          const caller = await call.caller.joinAs(kind)
          const renewed = (jti: string) => ({ token: call.callee.tokenWith({ jti }), device })
          const api = call.callee.user.api.as(renewed('token-1').token)
          const answered = await api.answer(call.id, { user_id: call.callee.id, device_id: device })
          expect(answered.status).to.equal(200)

          const lost = await call.callee.joinAs(kind, renewed('token-1'))
          await lost.terminate()
          const back = await call.callee.joinAs(kind, renewed('token-2'))

          caller.offer('s')
          expect((await back.next('offer')).sdp).to.equal('s')
        }
      })

      it('of a device that the token names stay, whatever else body and handshake say', async () => {
        const call = await newCall(cluster, { calleeClaims: { device_id: 'phone' } })
        await call.answer('tablet')

        const phone = await call.callee.joinAs(kind, { device: 'laptop' })

        expect((await phone.sendAndAck(phone.offerMessage('s'))).ok).to.equal(true)
      })

      it('of a token whose device_id cannot be kept are as those of a token without one', async () => {
        for (const device of ['', 'x'.repeat(129), 'a\nb', 7, null, ['phone']]) {
          const call = await newCall(cluster)
          const token = call.callee.tokenWith({ device_id: device as string })
          const api = call.callee.user.api.as(token)
          expect((await api.answer(call.id, { user_id: call.callee.id, device_id: 'phone' })).status).to.equal(200)

          const other = await call.callee.connect(kind, { token })
          expect((await other.next('call-status')).answered_by_device).to.equal('phone')
          await other.closed
          const phone = await call.callee.joinAs(kind, { token, device: 'phone' })
          expect((await phone.sendAndAck(phone.offerMessage('s'))).ok).to.equal(true)
        }
      })

      it('with a device_id that cannot be kept are refused with INVALID_REQUEST', async () => {
        const call = await newCall(cluster)

        for (const device of ['x'.repeat(129), 'a\u0000b', 'a\nb']) {
          const refused = await refusalOf(kind, call.caller.optionsFor({ device }))
          expect(refused.code).to.equal('INVALID_REQUEST')
          if (kind === 'raw') expect(refused.status).to.equal(400)
        }
      })
    })
  }
})
