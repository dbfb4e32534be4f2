import { expect } from 'chai'
import type { Call } from '../../client/call.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { sharedCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { closeParties, connectionOf, Party, untilPhase } from './party.ts'

/** The ICE user name of a description: a restart has a new one. */
const ufragOf = (description: { sdp: string } | null) => /a=ice-ufrag:(\S+)/.exec(description?.sdp ?? '')?.[1]

describe('the client library, when the network changes', function () {
  this.timeout(60_000)
  let cluster: Cluster

  before(async () => {
    cluster = await sharedCluster()
  })
  afterEach(closeParties)

  async function activeCall(): Promise<{ alice: Party; bob: Party; outgoing: Call; incoming: Call }> {
    const [alice, bob] = [await Party.online(cluster), await Party.online(cluster, { gateway: 1 })]
    const outgoing = await alice.client.call(bob.id)
    const incoming = await bob.rung()
    await incoming.answer()
    await Promise.all([untilPhase(outgoing, 'active'), untilPhase(incoming, 'active')])
    return { alice, bob, outgoing, incoming }
  }

  for (const who of ['caller', 'callee'] as const) {
    it(`restarts ICE from the ${who}, and the call goes on`, async () => {
      const { alice, bob, outgoing, incoming } = await activeCall()
      const [party, call] = who === 'caller' ? [alice, outgoing] : [bob, incoming]
      const before = ufragOf(connectionOf(call).localDescription)

      party.client.networkChanged()

      await eventually(() => {
        expect(ufragOf(connectionOf(call).localDescription)).to.not.equal(before)
        for (const one of [outgoing, incoming]) {
          expect(connectionOf(one).signalingState).to.equal('stable')
          expect(connectionOf(one).connectionState).to.equal('connected')
          expect(one.state).to.include({ phase: 'active', reconnecting: false })
        }
      })
      const { channel } = connectionOf(outgoing).ledger
      channel.send('still here')
      expect(await connectionOf(incoming).ledger.channel.firstMessage).to.equal('still here')
      expect([...alice.errors, ...bob.errors].map(({ message }) => message)).to.deep.equal([])
      await incoming.hangUp()
      await untilPhase(outgoing, 'ended')
    })
  }
})
