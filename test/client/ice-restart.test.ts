import { expect } from 'chai'
import type { Call } from '../../client/call.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { sharedCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { closeParties, connectionOf, Party, untilPhase } from './party.ts'

/**
 * The ICE user name of a description: a restart has a new one. Whether data flows again is for browsers to show: after a
 * restart werift 0.24 delivers none, also between two of its connections without this client.
 */
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
    it(`restarts ICE from the ${who}: both sides agree on a new generation, and the call goes on`, async () => {
      const { alice, bob, outgoing, incoming } = await activeCall()
      const party = who === 'caller' ? alice : bob
      const before = [outgoing, incoming].map((one) => ufragOf(connectionOf(one).localDescription))

      party.client.networkChanged()

      await eventually(() => {
        for (const [index, one] of [outgoing, incoming].entries()) {
          expect(ufragOf(connectionOf(one).localDescription)).to.not.equal(before[index])
          expect(connectionOf(one).signalingState).to.equal('stable')
          expect(connectionOf(one).connectionState).to.equal('connected')
          expect(one.state).to.include({ phase: 'active', reconnecting: false })
        }
      })
      expect([...alice.errors, ...bob.errors].map(({ message }) => message)).to.deep.equal([])
      await incoming.hangUp()
      await untilPhase(outgoing, 'ended')
    })
  }
})
