// company: browser: one Chromium, and one cluster for it
import { expect } from 'chai'
import { eventually } from '../support/eventually.ts'
import { BrowserPhone } from './browser-phone.ts'
import { requireBrowser } from './chromium.ts'
import { closePages } from './pages.ts'
import { type Stage, sharedStage } from './stage.ts'

/** The camera's picture is a bright one; what is left of black after a codec is darker than this. */
const DARK = 20
/** 1.5 s of 20 ms each: the microphone beeps once a second. */
const PACKETS = 75
/** Its beeps of that time come to a thousand times more. */
const SILENCE = 1e-5

describe('microphone and camera in browsers', function () {
  this.timeout(60_000)
  let stage: Stage

  before(async function () {
    this.timeout(90_000)
    requireBrowser(this)
    stage = await sharedStage()
  })
  afterEach(closePages)

  async function activeCall(video: boolean): Promise<{ alice: BrowserPhone; bob: BrowserPhone }> {
    const alice = await BrowserPhone.online(stage)
    const bob = await BrowserPhone.online(stage, { elsewhere: true })
    await alice.call(bob, { video })
    await bob.rung()
    await bob.answer()
    await Promise.all([alice.untilPhase('active'), bob.untilPhase('active')])
    return { alice, bob }
  }

  const setCamera = ({ page }: BrowserPhone, on: boolean) =>
    page.evaluate((wanted) => globalThis.phone.call.setCamera(wanted), on)
  const setMuted = ({ page }: BrowserPhone, muted: boolean) =>
    page.evaluate((wanted) => globalThis.phone.call.setMuted(wanted), muted)
  const brightness = ({ page }: BrowserPhone) => page.evaluate(() => globalThis.phone.brightness())
  const localState = async (phone: BrowserPhone) => {
    const { muted, cameraOn } = (await phone.view()).call?.state ?? {}
    return { muted, cameraOn }
  }

  it('are silent and black while they are switched off, and come back', async () => {
    const { alice, bob } = await activeCall(true)
    await bob.hears({ video: true })
    await eventually(async () => expect(await brightness(bob)).to.be.above(DARK))

    await setMuted(alice, true)
    await setCamera(alice, false)

    expect(await localState(alice)).to.deep.equal({ muted: true, cameraOn: false })
    await eventually(async () => expect(await brightness(bob)).to.be.below(DARK))
    await eventually(async () => {
      const from = await bob.media()
      const to = await eventually(async () => {
        const now = await bob.media()
        expect(now.audioPackets).to.be.above(from.audioPackets + PACKETS)
        return now
      })
      expect(to.audioEnergy - from.audioEnergy).to.be.below(SILENCE)
    }, 20_000)

    await setMuted(alice, false)
    await setCamera(alice, true)

    expect(await localState(alice)).to.deep.equal({ muted: false, cameraOn: true })
    const { audioEnergy } = await bob.media()
    await eventually(async () => expect((await bob.media()).audioEnergy).to.be.above(audioEnergy + 10 * SILENCE))
    await eventually(async () => expect(await brightness(bob)).to.be.above(DARK))
  })

  it('make a voice call one with a picture, one side after the other', async () => {
    const { alice, bob } = await activeCall(false)
    await Promise.all([alice.hears(), bob.hears()])

    await setCamera(bob, true)

    expect((await alice.hears({ video: true })).remoteTracks).to.deep.equal(['audio', 'video'])
    await eventually(async () => expect(await brightness(alice)).to.be.above(DARK))
    expect(await localState(alice)).to.deep.equal({ muted: false, cameraOn: false })

    await setCamera(alice, true)

    expect((await bob.hears({ video: true })).remoteTracks).to.deep.equal(['audio', 'video'])
    for (const phone of [alice, bob]) {
      expect(await localState(phone)).to.deep.equal({ muted: false, cameraOn: true })
      const { phases, errors, wasReconnecting } = await phone.view()
      expect(phases.at(-1)).to.equal('active')
      expect([errors, wasReconnecting]).to.deep.equal([[], false])
    }
  })

  it('make a voice call one with a picture, both sides in the same moment', async () => {
    const { alice, bob } = await activeCall(false)

    await Promise.all([setCamera(alice, true), setCamera(bob, true), setCamera(alice, true)])

    for (const { remoteTracks } of await Promise.all([alice.hears({ video: true }), bob.hears({ video: true })]))
      expect(remoteTracks).to.deep.equal(['audio', 'video'])
    for (const phone of [alice, bob]) expect((await phone.view()).errors).to.deep.equal([])
  })
})
