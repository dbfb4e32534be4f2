// company: browser: one Chromium, and one cluster for it
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { BrowserPhone } from './browser-phone.ts'
import { requireBrowser } from './chromium.ts'
import { closePages } from './pages.ts'
import { type Stage, sharedStage } from './stage.ts'

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
  let stage: Stage

  before(async function () {
    this.timeout(90_000)
    requireBrowser(this)
    stage = await sharedStage()
  })
  afterEach(closePages)

  /** What the history of each says of the call. */
  async function entries(id: string, ...phones: BrowserPhone[]): Promise<unknown[]> {
    return Promise.all(
      phones.map(async ({ user }) => {
        const { body } = await user.api.history(user.id)
        return body.calls.map(({ call_id, status, end_reason }) => [call_id === id, status, end_reason])
      }),
    )
  }

  it('call each other over two gateways, and see and hear each other', async () => {
    const alice = await BrowserPhone.online(stage, { smallPicture: false })
    const bob = await BrowserPhone.online(stage, { smallPicture: false, elsewhere: true })

    const id = await alice.call(bob, { video: true })
    expect(await bob.rung()).to.equal(id)
    await alice.until(({ call }) => call?.state.ringState === 'ringing', 'it rings there')
    await bob.answer()
    await Promise.all([alice.untilPhase('active'), bob.untilPhase('active')])

    expect(await callConnections(stage.cluster)).to.deep.equal([1, 1])
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

  it('speak without a camera in a voice call', async () => {
    const alice = await BrowserPhone.online(stage)
    const bob = await BrowserPhone.online(stage, { elsewhere: true })
    await alice.call(bob)
    await bob.rung()
    await bob.answer()
    await Promise.all([alice.untilPhase('active'), bob.untilPhase('active')])

    for (const { remoteTracks } of await Promise.all([alice.hears(), bob.hears()]))
      expect(remoteTracks).to.deep.equal(['audio'])
    expect((await bob.view()).call).to.include({ type: 'voice' })
  })

  it('end alike where one declines', async () => {
    const alice = await BrowserPhone.online(stage)
    const bob = await BrowserPhone.online(stage, { elsewhere: true })
    const id = await alice.call(bob)
    await bob.rung()

    await bob.hangUp()

    for (const phone of [alice, bob])
      expect((await phone.untilPhase('ended')).call?.state.endReason).to.equal('declined')
    expect(await entries(id, alice, bob)).to.deep.equal([
      [[true, 'missed', 'declined']],
      [[true, 'missed', 'declined']],
    ])
  })

  it('end alike where nobody answers, and both histories say missed', async () => {
    const alice = await BrowserPhone.online(stage)
    const bob = await BrowserPhone.online(stage, { elsewhere: true })
    const id = await alice.call(bob, { video: true })
    await bob.rung()

    await stage.endRing(bob.user.id)

    for (const phone of [alice, bob])
      expect((await phone.untilPhase('ended')).call?.state.endReason).to.equal('no_answer')
    await eventually(async () =>
      expect(await entries(id, alice, bob)).to.deep.equal([
        [[true, 'missed', 'no_answer']],
        [[true, 'missed', 'no_answer']],
      ]),
    )
  })

  it('ring in every tab of the callee until one answers', async () => {
    const alice = await BrowserPhone.online(stage)
    const bob = await BrowserPhone.online(stage, { elsewhere: true })
    const tab = await BrowserPhone.online(stage, { besides: bob })
    await alice.call(bob)
    await Promise.all([bob.rung(), tab.rung()])

    await tab.answer()

    expect((await bob.untilPhase('ended')).call?.state.endReason).to.equal('answered_elsewhere')
    await Promise.all([alice.untilPhase('active'), tab.untilPhase('active')])
    await Promise.all([alice.hears(), tab.hears()])
    await alice.hangUp()
    expect((await tab.untilPhase('ended')).call?.state.endReason).to.equal('hangup')
  })
})
