// company: browser: one Chromium, and one cluster for it
import { expect } from 'chai'
import { eventually } from '../support/eventually.ts'
import { BrowserPhone } from './browser-phone.ts'
import { requireBrowser } from './chromium.ts'
import { closePages } from './pages.ts'
import { type Stage, sharedStage } from './stage.ts'

describe('two browsers with nothing but a TURN server between them', function () {
  this.timeout(60_000)
  let stage: Stage

  before(async function () {
    this.timeout(90_000)
    requireBrowser(this)
    stage = await sharedStage()
  })
  afterEach(closePages)

  it('see and hear each other through it, and find a new way with credentials that came meanwhile', async () => {
    const rtc = { iceTransportPolicy: 'relay' } as const
    const alice = await BrowserPhone.online(stage, { rtc })
    const bob = await BrowserPhone.online(stage, { rtc, elsewhere: true })
    await alice.call(bob, { video: true })
    await bob.rung()
    await bob.answer()
    await Promise.all([alice.untilPhase('active'), bob.untilPhase('active')])
    const phones = [alice, bob]
    const relayed = async () => {
      for (const phone of phones) {
        const { localCandidate, remoteCandidate } = await phone.hears({ video: true })
        expect([localCandidate, remoteCandidate]).to.deep.equal(['relay', 'relay'])
      }
    }
    await relayed()

    /** When the credentials of each end, in seconds since 1970. */
    const expiries = () => Promise.all(phones.map(({ page }) => page.evaluate(() => globalThis.phone.turnExpiry())))
    const first = await expiries()
    await eventually(async () => {
      const now = Date.now() / 1000
      for (const [index, expiry] of (await expiries()).entries()) {
        expect(expiry).to.be.above(first[index] ?? 0)
        // The first ones would be refused from here on.
        expect(now).to.be.above(first[index] ?? 0)
      }
    }, 20_000)
    const before = (await alice.media()).iceUser
    await alice.page.evaluate(() => globalThis.phone.client?.networkChanged())

    await eventually(async () => expect((await alice.media()).iceUser).to.not.equal(before))
    await eventually(async () => expect((await alice.view()).call?.state.reconnecting).to.equal(false))
    await relayed()
    for (const phone of phones) expect((await phone.view()).errors).to.deep.equal([])
  })

  it('give up as connection_failed where there is no way at all, and both histories say failed', async () => {
    // Only relays, and none to use: the browser looks for a way for ever.
    const nowhere = { rtc: { iceTransportPolicy: 'relay' as const }, iceServers: [], giveUpAfterMs: 3_000 }
    const alice = await BrowserPhone.online(stage, nowhere)
    const bob = await BrowserPhone.online(stage, { ...nowhere, elsewhere: true })
    const id = await alice.call(bob)
    await bob.rung()
    await bob.answer()

    for (const phone of [alice, bob]) {
      const { call, phases } = await phone.untilPhase('ended', 20_000)
      expect(call?.state.endReason).to.equal('connection_failed')
      expect(phases).to.not.include('active')
      const { body } = await phone.user.api.history(phone.user.id)
      expect(body.calls.map(({ call_id, status }) => [call_id, status])).to.deep.equal([[id, 'failed']])
    }
  })
})
