// company: browser: one Chromium, and one cluster for it
import { expect } from 'chai'
import type { Page } from 'playwright-core'
import { madeMedia, receives, sendPackets } from '../client/made-media.ts'
import { closeParties, Party, untilPhase } from '../client/party.ts'
import { createUser, type TestUser } from '../support/api-client.ts'
import { eventually } from '../support/eventually.ts'
import { BrowserPhone } from './browser-phone.ts'
import { requireBrowser } from './chromium.ts'
import { closePages, openPage } from './pages.ts'
import { type Stage, sharedStage } from './stage.ts'

describe('a browser', function () {
  this.timeout(60_000)
  let stage: Stage

  before(async function () {
    this.timeout(90_000)
    requireBrowser(this)
    stage = await sharedStage()
  })
  afterEach(() => Promise.all([closePages(), closeParties()]))

  it('calls a peer that is no browser: what it films and hears comes out there, and sound comes back', async () => {
    const alice = await BrowserPhone.online(stage)
    const { getMedia } = madeMedia()
    const bob = await Party.online(stage.cluster, { gateway: 1, getMedia, onPeerConnection: () => {} })
    await alice.call(bob, { video: true })
    const incoming = await bob.rung()
    await incoming.answer()
    await Promise.all([alice.untilPhase('active'), untilPhase(incoming, 'active')])

    await receives(incoming, ['audio', 'video'])
    const before = (await alice.media()).audioPackets
    await eventually(async () => {
      sendPackets(incoming)
      expect((await alice.media()).audioPackets).to.be.above(before + 5)
    })

    await alice.hangUp()
    await untilPhase(incoming, 'ended')
    expect(incoming.state.endReason).to.equal('hangup')
    expect([...bob.errors, ...(await alice.view()).errors]).to.deep.equal([])
  })

  describe('with a client of the contract alone', () => {
    const me = ({ id, token }: TestUser) => ({ url: stage.cluster.url, user: id, token })
    const publicUrl = () => stage.cluster.env.PUBLIC_URL ?? ''

    async function naivePage(): Promise<{ user: TestUser; page: Page }> {
      const page = await openPage({ url: `${stage.pages.url}/naive`, socketsVia: stage.otherEdge.url })
      await page.waitForFunction(() => globalThis.naive !== undefined)
      return { user: createUser(stage.cluster.url, stage.cluster.jwtSecret), page }
    }

    async function bothSee(phone: BrowserPhone, page: Page): Promise<void> {
      const media = () => page.evaluate(() => globalThis.naive.media())
      const before = await media()
      await phone.hears({ video: true })
      await eventually(async () => {
        const now = await media()
        expect(now.framesDecoded).to.be.above(before.framesDecoded + 5)
        expect(now.audioEnergy).to.be.above(before.audioEnergy)
      })
    }

    it('is called by it', async () => {
      const { user, page } = await naivePage()
      const phone = await BrowserPhone.online(stage)
      const id = await page.evaluate(([mine, other]) => globalThis.naive.dial(mine, other), [
        me(user),
        phone.user.id,
      ] as const)
      expect(await phone.rung()).to.equal(id)
      await phone.answer()
      await phone.untilPhase('active')

      await bothSee(phone, page)

      await page.evaluate(() => globalThis.naive.hangUp())
      expect((await phone.untilPhase('ended')).call?.state.endReason).to.equal('hangup')
      await eventually(async () => expect(await page.evaluate(() => globalThis.naive.status)).to.equal('ended'))
    })

    it('calls it, and hears that it hangs up', async () => {
      const { user, page } = await naivePage()
      const phone = await BrowserPhone.online(stage)
      const taking = page.evaluate(([mine, url]) => globalThis.naive.take(mine, url), [
        me(user),
        `${publicUrl().replace('http', 'ws')}/ws/signaling/{call_id}`,
      ] as const)
      await phone.call({ user }, { video: true })
      await Promise.all([taking, phone.untilPhase('active')])

      await bothSee(phone, page)

      await phone.hangUp()
      await eventually(async () => expect(await page.evaluate(() => globalThis.naive.status)).to.equal('ended'))
      // It was told nothing that the contract does not know.
      const heard = new Set(await page.evaluate(() => globalThis.naive.heard))
      expect([...heard]).to.have.members(['user-joined', 'call-status', 'offer', 'candidate'])
      expect((await phone.view()).errors).to.deep.equal([])
    })
  })
})
