import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { privateCluster } from '../support/clusters.ts'
import { BrowserPhone, openStage, type Stage } from './browser-phone.ts'
import { requireBrowser } from './chromium.ts'
import { closePages } from './pages.ts'

/** How many connections to calls each gateway has. */
async function callConnections(cluster: Cluster): Promise<number[]> {
  const pages = await Promise.all(
    cluster.description.gateways.map(async ({ metrics_port: port }) =>
      (await fetch(`http://127.0.0.1:${port}/metrics`)).text(),
    ),
  )
  const OPEN = /^signaling_connections\{[^}]*kind="call"[^}]*\} (\d+)$/gm
  return pages.map((text) => [...text.matchAll(OPEN)].reduce((sum, [, open]) => sum + Number(open), 0))
}

describe('two browsers', function () {
  this.timeout(60_000)
  let cluster: Cluster
  let stage: Stage

  before(async function () {
    this.timeout(90_000)
    requireBrowser(this)
    cluster = await privateCluster({ turn: true, env: { RING_TIMEOUT_SECONDS: '10' } })
    stage = await openStage(cluster)
  })
  afterEach(closePages)
  after(async () => {
    await stage?.close()
    await cluster?.stop()
  })

  it('call each other over two gateways, and see and hear each other', async () => {
    const alice = await BrowserPhone.online(stage, { smallPicture: false })
    const bob = await BrowserPhone.online(stage, { smallPicture: false, elsewhere: true })

    const id = await alice.call(bob, { video: true })
    expect(await bob.rung()).to.equal(id)
    await alice.until(({ call }) => call?.state.ringState === 'ringing', 'it rings there')
    await bob.answer()
    await Promise.all([alice.untilPhase('active'), bob.untilPhase('active')])

    expect(await callConnections(cluster)).to.deep.equal([1, 1])
    const [hers, his] = await Promise.all([alice.hears({ video: true }), bob.hears({ video: true })])
    for (const { remoteTracks } of [hers, his]) expect(remoteTracks).to.deep.equal(['audio', 'video'])
    await bob.hangUp()
    const [atAlice, atBob] = await Promise.all([alice.untilPhase('ended'), bob.untilPhase('ended')])
    for (const { call, phases, errors } of [atAlice, atBob]) {
      expect(call?.state.endReason).to.equal('hangup')
      expect(phases.slice(-2)).to.deep.equal(['active', 'ended'])
      expect(errors).to.deep.equal([])
    }
  })
})
