import { expect } from 'chai'
import { WebSocket } from 'ws'
import { privateCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { closeParties, connectionOf, Party, untilPhase } from './party.ts'

/** It takes half a minute until silence is long enough, so it is tried with the long trials alone. */
const FULL = process.env.TRIALS === 'full'

describe('the client library, when its gateway freezes', function () {
  this.timeout(60_000)
  afterEach(closeParties)
  if (!FULL) return

  it('notices the silence, goes elsewhere and has lost nothing', async () => {
    const cluster = await privateCluster({ gateways: 2, edge: false })
    let frozen = false
    class Moving extends WebSocket {
      constructor(url: string) {
        const target = new URL(url)
        target.host = new URL(cluster.gateway(frozen ? 1 : 0).url).host
        super(target)
        this.on('error', () => {})
      }
    }
    const alice = await Party.online(cluster, { WebSocket: Moving })
    const bob = await Party.online(cluster, { gateway: 1 })
    const outgoing = await alice.client.call(bob.id)
    const incoming = await bob.rung()
    await incoming.answer()
    await Promise.all([untilPhase(outgoing, 'active'), untilPhase(incoming, 'active')])

    await cluster.kill('gateway-1', 'SIGSTOP')
    frozen = true
    connectionOf(outgoing).say()
    connectionOf(incoming).say()

    await eventually(() => {
      expect(connectionOf(outgoing).ledger.received).to.deep.equal([1])
      expect(connectionOf(incoming).ledger.received).to.deep.equal([1])
    }, 40_000)
    await cluster.kill('gateway-1', 'SIGCONT')
    await incoming.hangUp()
    await untilPhase(outgoing, 'ended')
    expect(outgoing.state.endReason).to.equal('hangup')
    await cluster.stop()
  })
})
