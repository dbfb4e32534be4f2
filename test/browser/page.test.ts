/** Calls from the page of the demo, as people make them: two windows, what they show and what is pressed there. */
// company: browser: one Chromium, and one cluster for it
import { expect } from 'chai'
import { eventually } from '../support/eventually.ts'
import { patient } from '../support/patience.ts'
import { requireBrowser } from './chromium.ts'
import { PageUser } from './page-user.ts'
import { closePages } from './pages.ts'
import { type Stage, sharedStage } from './stage.ts'

describe('the page', function () {
  this.timeout(60_000)
  let stage: Stage

  before(async function () {
    this.timeout(90_000)
    requireBrowser(this)
    stage = await sharedStage()
  })
  afterEach(closePages)

  async function pair(): Promise<[PageUser, PageUser]> {
    return Promise.all([PageUser.signedIn(stage), PageUser.signedIn(stage)])
  }

  /** What each history says of the one call, by the API and on the screen. */
  async function expectHistory(user: PageUser, status: string, line: RegExp): Promise<void> {
    expect((await user.history()).map((call) => call.status)).to.deep.equal([status])
    await user.page.getByRole('tab', { name: 'History' }).click()
    await user.text('1 call').waitFor()
    expect(await user.page.locator('[data-call]').allInnerTexts()).to.have.length(1)
    expect(await user.page.locator('[data-call]').innerText()).to.match(line)
  }

  it('calls by video: both see and hear each other, and both histories have it', async () => {
    const [ada, bob] = await pair()
    await bob.row(ada).getByText('Available').waitFor()
    await ada.call(bob, 'video')
    await bob.dialog().waitFor()
    expect(await bob.dialog().innerText())
      .to.contain(ada.name)
      .and.match(/calls you by video/)
    expect(await bob.page.title()).to.equal(`${ada.name} is calling`)
    await ada.text('Ringing…').waitFor()

    await bob.answer()
    await Promise.all([ada.untilPhase('active'), bob.untilPhase('active')])
    await Promise.all([ada.hears({ video: true }), bob.hears({ video: true })])
    await ada.row(bob).getByText('In a call').waitFor()
    // How good it is depends on what else the machine does.
    await ada.button(/(Good|Fair|Poor) connection/).click()
    expect(await ada.page.locator('.quality-figures').innerText()).to.match(
      /Round trip\s+[\d.]+ ms[\s\S]*Loss\s+[\d.]+ %/,
    )

    await ada.switch('Microphone').click()
    expect(await ada.switch('Microphone').getAttribute('aria-checked')).to.equal('false')
    await bob.hearsNothing()
    await ada.switch('Microphone').click()
    await bob.hears()

    expect(await bob.brightness()).to.be.above(60)
    await ada.switch('Camera').click()
    await ada.text('Camera off').waitFor()
    await eventually(async () => expect(await bob.brightness()).to.be.within(0, 40))
    await ada.switch('Camera').click()
    await eventually(async () => expect(await bob.brightness()).to.be.above(60))

    await bob.button('Hang up').click()
    for (const user of [ada, bob]) await user.page.getByRole('heading', { name: 'Call ended' }).waitFor()
    await expectHistory(ada, 'completed', /Outgoing video call[\s\S]*Completed/)
    await expectHistory(bob, 'completed', /Incoming video call[\s\S]*Completed/)
  })

  it('calls by voice without any picture, until somebody switches a camera on', async () => {
    const [ada, bob] = await pair()
    await ada.call(bob, 'voice')
    await bob.answer()
    await Promise.all([ada.untilPhase('active'), bob.untilPhase('active')])
    await Promise.all([ada.hears(), bob.hears()])

    expect(await ada.page.locator('video').count()).to.equal(0)
    expect((await ada.received()).framesDecoded).to.equal(0)

    await bob.switch('Camera').click()
    await ada.hears({ video: true })
    await eventually(async () => expect(await ada.brightness()).to.be.above(60))
    expect(await bob.page.getByLabel('Your own video').count()).to.equal(1)
  })

  it('tells a caller who is declined', async () => {
    const [ada, bob] = await pair()
    await ada.call(bob, 'voice')
    await bob.dialog().getByRole('button', { name: 'Decline' }).click()

    await ada.page.getByRole('heading', { name: `${bob.name} declined` }).waitFor()
    await bob.dialog().waitFor({ state: 'detached' })
    await expectHistory(ada, 'missed', /Declined/)
    await expectHistory(bob, 'missed', /Declined/)
  })

  it('counts down while it rings, and both have missed what nobody answers', async () => {
    const [ada, bob] = await pair()
    await ada.call(bob, 'video')
    const left = async () => Number.parseInt(await bob.dialog().getByRole('timer').innerText(), 10)
    const atFirst = await left()
    expect(atFirst).to.be.within(stage.ringSeconds / 2, stage.ringSeconds)
    await eventually(async () => expect(await left()).to.be.below(atFirst - 1))

    await stage.endRing((await bob.session()).userId)
    await bob.text(`Missed call from ${ada.name}`).waitFor({ timeout: patient(20_000) })
    await ada.page.getByRole('heading', { name: `${bob.name} did not answer` }).waitFor()
    await expectHistory(ada, 'missed', /No answer/)
    await expectHistory(bob, 'missed', /Missed/)
  })

  it('rings in every tab until one answers, and only there', async () => {
    const [ada, bob] = await pair()
    const tab = await PageUser.signedIn(stage, { name: bob.name, besides: bob })
    await ada.call(bob, 'voice')
    await Promise.all([bob.dialog().waitFor(), tab.dialog().waitFor()])

    await tab.answer()

    await bob.dialog().waitFor({ state: 'detached' })
    await bob.text('was answered in another window').waitFor()
    await Promise.all([ada.hears(), tab.hears()])
    expect(await bob.page.locator('[data-phase]').count()).to.equal(0)
  })

  it('answers a video call by voice where there is no camera, or none is wanted', async () => {
    const [ada, bob] = await Promise.all([PageUser.signedIn(stage, { noCamera: true }), PageUser.signedIn(stage)])
    await ada.call(bob, 'video')
    await ada.text('No camera can be used').waitFor()
    await bob.dialog().getByRole('button', { name: 'Voice only' }).click()
    await Promise.all([ada.untilPhase('active'), bob.untilPhase('active')])

    await Promise.all([ada.hears(), bob.hears()])
    expect((await ada.received()).framesDecoded).to.equal(0)
  })

  it('says what stands in the way of a call', async () => {
    const [ada, bob] = await pair()
    const shy = await PageUser.signedIn(stage, { refused: true })
    await shy.call(bob, 'video')
    await shy.text(/browser has refused the microphone/).waitFor()
    expect(await shy.history()).to.deep.equal([])
    expect(await shy.button('Call by voice').count()).to.equal(1)

    await bob.switch('Available for calls').click()
    await bob.text('Not available').waitFor()
    await ada.row(bob).getByText('Seen').waitFor()
    await ada.button(`Call ${bob.name} by voice`).click()
    await ada.text(`${bob.name} is not available now.`).waitFor()
    await bob.switch('Available for calls').click()

    const carl = await PageUser.signedIn(stage)
    await ada.call(bob, 'voice')
    await carl.row(bob).getByText('In a call').waitFor()
    await carl.button(`Call ${bob.name} by voice`).click()
    await carl.text(`${bob.name} is in another call.`).waitFor()
  })

  it('says that signaling is lost while the call goes on, and when it is back', async () => {
    const [ada, bob] = await pair()
    await ada.call(bob, 'voice')
    await bob.answer()
    await Promise.all([ada.untilPhase('active'), bob.untilPhase('active')])
    const gateways = stage.cluster.description.gateways.map(({ name }) => name)
    const lost = [ada, bob].map((user) => user.text('Connection lost. Reconnecting…').waitFor())
    const offline = ada.text('The service cannot be reached. Trying again…').waitFor()

    let isSeen = false
    const seen = Promise.all([...lost, offline]).finally(() => {
      isSeen = true
    })

    // A gateway is back sooner than the page loses patience: as often as it takes.
    while (!isSeen) {
      for (const name of gateways) await stage.cluster.kill(name, 'SIGKILL')
      await Promise.race([seen, Promise.all(gateways.map((name) => stage.cluster.waitReady(name)))])
    }
    await seen
    await ada.hears()
    for (const name of gateways) await stage.cluster.waitReady(name)
    for (const user of [ada, bob])
      await user.text('Connection lost. Reconnecting…').waitFor({ state: 'hidden', timeout: patient(20_000) })
    await ada.button('Hang up').click()
    await bob.page.getByRole('heading', { name: 'Call ended' }).waitFor()
  })

  it('keeps who is signed in over a reload, and ends the call that was', async () => {
    const [ada, bob] = await pair()
    await ada.call(bob, 'voice')
    await bob.answer()
    await Promise.all([ada.untilPhase('active'), bob.untilPhase('active')])
    ada.page.on('dialog', (dialog) => void dialog.accept())

    await ada.page.reload()

    await bob.page.getByRole('heading', { name: 'Call ended' }).waitFor()
    expect((await bob.history()).map(({ end_reason }) => end_reason)).to.deep.equal(['hangup'])
    await ada.page.getByRole('heading', { name: ada.name }).waitFor()
    await ada.button('Sign out').click()
    await ada.page.getByLabel('Your name').waitFor()
    await ada.page.reload()
    await ada.page.getByLabel('Your name').waitFor()
  })
})
