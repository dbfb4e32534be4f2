// company: browser: one Chromium, and one cluster for it
import { expect } from 'chai'
import { eventually } from '../support/eventually.ts'
import { BrowserPhone } from './browser-phone.ts'
import { requireBrowser } from './chromium.ts'
import { closePages } from './pages.ts'
import { type Stage, sharedStage } from './stage.ts'

describe('two browsers, when something goes away', function () {
  this.timeout(60_000)
  let stage: Stage

  before(async function () {
    this.timeout(90_000)
    requireBrowser(this)
    stage = await sharedStage()
  })
  afterEach(closePages)

  async function activeCall(settings: { rtc?: RTCConfiguration; video?: boolean } = {}) {
    const { video = false, rtc } = settings
    const alice = await BrowserPhone.online(stage, { rtc })
    const bob = await BrowserPhone.online(stage, { rtc, elsewhere: true })
    await alice.call(bob, { video })
    await bob.rung()
    await bob.answer()
    await Promise.all([alice.untilPhase('active'), bob.untilPhase('active')])
    return { alice, bob }
  }

  /** Both sides have agreed on another generation of ICE than before. */
  async function restarted(phones: BrowserPhone[], before: string[]): Promise<void> {
    await eventually(async () => {
      for (const [index, phone] of phones.entries()) {
        expect((await phone.media()).iceUser).to.not.equal(before[index])
        expect((await phone.view()).call?.state).to.include({ phase: 'active', reconnecting: false })
      }
    }, 20_000)
  }

  const iceUsers = (phones: BrowserPhone[]) => Promise.all(phones.map(async (phone) => (await phone.media()).iceUser))

  it('go on seeing and hearing each other when a gateway is killed, resume, and can hang up', async () => {
    const { alice, bob } = await activeCall({ video: true })
    const phones = [alice, bob]
    const before = await iceUsers(phones)

    await stage.cluster.kill('gateway-1', 'SIGKILL')

    await Promise.all(phones.map((phone) => phone.hears({ video: true })))
    await eventually(async () => {
      const views = await Promise.all(phones.map((phone) => phone.view()))
      // The one whose gateway it was, and nobody else, has noticed; both are back.
      expect(views.filter(({ wasReconnecting }) => wasReconnecting)).to.have.lengthOf(1)
      for (const { call } of views) expect(call?.state).to.include({ phase: 'active', reconnecting: false })
    })
    // Signaling carries: an offer and its answer have gone to and fro.
    await alice.page.evaluate(() => globalThis.phone.client?.networkChanged())
    await restarted(phones, before)
    await Promise.all(phones.map((phone) => phone.hears({ video: true })))
    await bob.hangUp()
    for (const phone of phones) expect((await phone.untilPhase('ended')).call?.state.endReason).to.equal('hangup')
    await stage.cluster.waitReady('gateway-1')
  })

  for (const who of ['caller', 'callee'] as const) {
    it(`find a new way when the network of the ${who} comes back`, async () => {
      const { alice, bob } = await activeCall()
      const before = await iceUsers([alice, bob])
      const context = (who === 'caller' ? alice : bob).page.context()

      // The browser says "offline", then "online".
      await context.setOffline(true)
      await context.setOffline(false)

      await restarted([alice, bob], before)
      await Promise.all([alice.hears(), bob.hears()])
      expect([...(await alice.view()).errors, ...(await bob.view()).errors]).to.deep.equal([])
    })
  }
})
