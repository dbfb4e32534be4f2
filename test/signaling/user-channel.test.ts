import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall, newUser, openChannel } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { connectPeer, PEER_KINDS } from '../support/connect-peer.ts'
import { patient } from '../support/patience.ts'
import { mintToken, nowSeconds } from '../support/tokens.ts'

describe('user channel', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  for (const kind of PEER_KINDS) {
    describe(kind, () => {
      it('rings every channel of the callee on any node, and nobody else', async () => {
        const [caller, callee, bystander] = [newUser(cluster), newUser(cluster), newUser(cluster)]
        const ringing = [
          await openChannel(cluster, callee, kind, { at: 0 }),
          await openChannel(cluster, callee, kind, { at: 1 }),
          await openChannel(cluster, callee, kind, { at: 'edge' }),
        ]
        const silent = [await openChannel(cluster, caller, kind), await openChannel(cluster, bystander, kind)]

        const call = await newCall(cluster, { caller, callee, type: 'video' })

        for (const channel of ringing) {
          const incoming = await channel.next('incoming-call')
          expect(incoming).to.deep.include({
            call_id: call.id,
            caller_id: caller.id,
            call_type: 'video',
            signaling_url: `${cluster.env.PUBLIC_URL?.replace('http', 'ws')}/ws/signaling/${call.id}`,
          })
          const ringMs = Date.parse(incoming.expires_at) - Date.parse(incoming.created_at)
          expect(ringMs).to.equal(45_000)
        }
        await call.end()
        await silent[0]?.next('call-status')
        await newCall(cluster, { caller: callee, callee: bystander })
        await silent[1]?.next('incoming-call')
        expect(silent[1]?.received).to.have.lengthOf(1)
        expect(silent[0]?.received.map(({ type }) => type)).to.deep.equal(['call-status'])
      })

      it('says at creation no more than incoming-call', async () => {
        const callee = newUser(cluster)
        const channel = await openChannel(cluster, callee, kind)

        const call = await newCall(cluster, { callee })
        await call.answer()
        await channel.next('call-status')

        expect(
          channel.received.map((message) => [message.type, 'version' in message && message.version]),
        ).to.deep.equal([
          ['incoming-call', false],
          ['call-status', 2],
        ])
      })

      it('makes its user online while it lives', async () => {
        const user = newUser(cluster)
        const before = await user.api.presence(user.id)
        const channel = await openChannel(cluster, user, kind)

        expect((await user.api.presence(user.id)).body.status).to.equal('online')
        expect(before.body.status).to.equal('offline')
        await channel.close()
      })

      it('is closed with 4401 when its token expires', async () => {
        const user = newUser(cluster)
        const exp = nowSeconds() + 2
        const token = mintToken(cluster.jwtSecret, { sub: user.id, exp })
        const channel = await openChannel(cluster, { ...user, token }, kind)

        const closing = await channel.closed

        expect(Date.now() / 1000).to.be.within(exp, exp + patient(2_000) / 1000)
        if (kind === 'raw') expect(closing.code).to.equal(4401)
        else expect(closing.reason).to.equal('io server disconnect')
      })

      it('expires alone: a call connection of the same token stays', async () => {
        const caller = newUser(cluster)
        const call = await newCall(cluster, { caller })
        const token = mintToken(cluster.jwtSecret, { sub: caller.id, exp: nowSeconds() + 2 })
        const peer = await call.caller.joinAs(kind, { token })
        const callee = await call.callee.joinAs()
        const channel = await connectPeer(kind, { url: cluster.gateway(1).url, userId: caller.id, token })

        await channel.closed

        peer.offer('still here')
        expect((await callee.next('offer')).sdp).to.equal('still here')
      })
    })
  }
})
