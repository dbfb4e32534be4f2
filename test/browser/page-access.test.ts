/** The page of the demo for those who use keys, a screen reader or a phone. */
// company: browser: one Chromium, and one cluster for it
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import { expect } from 'chai'
import { requireBrowser } from './chromium.ts'
import { PageUser } from './page-user.ts'
import { closePages } from './pages.ts'
import { type Stage, sharedStage } from './stage.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
/** The rules among them that colours decide: nothing else differs between light and dark. */
const OF_COLOURS = ['color-contrast', 'link-in-text-block']

describe('the page, for everybody', function () {
  this.timeout(60_000)
  let stage: Stage

  before(async function () {
    this.timeout(90_000)
    requireBrowser(this)
    stage = await sharedStage()
  })
  afterEach(closePages)

  /** The faults that axe finds on the present screen, in light and in dark colours. */
  async function faults({ page }: PageUser): Promise<string[]> {
    if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(AXE)
    const found: string[] = []
    for (const [colorScheme, rules] of [
      ['light', RULES],
      ['dark', OF_COLOURS],
    ] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      const { violations } = await page.evaluate<AxeResults, readonly string[]>(
        (given) => globalThis.axe.run({ runOnly: [...given] }),
        rules,
      )
      found.push(
        ...violations.map(({ id, nodes }) => `${colorScheme}, ${id}: ${nodes.map(({ html }) => html).join(' | ')}`),
      )
    }
    return found
  }

  async function focused({ page }: PageUser): Promise<string> {
    return page.evaluate(() => {
      const element = document.activeElement
      return element?.getAttribute('aria-label') ?? element?.textContent?.trim() ?? ''
    })
  }

  /** Presses Tab until that has the focus. */
  async function tabTo(user: PageUser, name: string): Promise<void> {
    for (let presses = 0; presses < 40; presses++) {
      if ((await focused(user)) === name) return
      await user.page.keyboard.press('Tab')
    }
    throw new Error(`No Tab leads to ${name}`)
  }

  it('needs no pointer, from the sign-in to the hang-up', async () => {
    const [ada, bob] = [await PageUser.arrive(stage), await PageUser.signedIn(stage)]
    await ada.page.keyboard.type(ada.name)
    await ada.page.keyboard.press('Enter')
    await ada.row(bob).getByText('Available').waitFor()
    await tabTo(ada, `Call ${bob.name} by video`)
    await ada.page.keyboard.press('Enter')
    await bob.dialog().waitFor()
    // The focus has followed the call.
    expect(await focused(ada)).to.equal(`Call with ${bob.name}`)

    // Nothing behind the dialog is reached, and Escape sends nobody away.
    const reached = new Set<string>()
    for (let presses = 0; presses < 8; presses++) {
      await bob.page.keyboard.press('Tab')
      reached.add(await focused(bob))
    }
    const buttons = ['Decline', 'Voice only', 'Answer']
    expect([...reached].filter((name) => buttons.includes(name))).to.have.members(buttons)
    expect([...reached].filter((name) => name.startsWith('Call '))).to.deep.equal([])
    await bob.page.keyboard.press('Escape')
    await tabTo(bob, 'Answer')
    await bob.page.keyboard.press('Enter')
    await Promise.all([ada.untilPhase('active'), bob.untilPhase('active')])

    await tabTo(ada, 'Microphone')
    await ada.page.keyboard.press('Space')
    expect(await ada.switch('Microphone').getAttribute('aria-checked')).to.equal('false')
    await tabTo(ada, 'Hang up')
    await ada.page.keyboard.press('Enter')
    await tabTo(ada, 'Close')
    await ada.page.keyboard.press('Enter')
    await tabTo(ada, 'People')
    await ada.page.keyboard.press('ArrowRight')
    await ada.text('1 call').waitFor()
  })

  it('says what happens to those who do not see it', async () => {
    const [ada, bob] = await Promise.all([PageUser.signedIn(stage), PageUser.signedIn(stage)])
    const said = (text: string) => ada.page.getByTestId('announcer').getByText(text).waitFor()
    await ada.call(bob, 'voice')
    await said(`${bob.name}: Ringing…`)
    await bob.answer()
    await said(`${bob.name}: Connected`)
    await bob.button('Hang up').click()
    await said('Call ended')
  })

  it('has names, roles and contrast on every screen, light and dark', async () => {
    const door = await PageUser.arrive(stage)
    expect(await faults(door)).to.deep.equal([])
    await door.button('Sign in').click()
    await door.text(/A name has/).waitFor()
    expect(await faults(door)).to.deep.equal([])

    const [ada, bob] = await Promise.all([PageUser.signedIn(stage), PageUser.signedIn(stage)])
    expect(await faults(ada)).to.deep.equal([])
    await ada.call(bob, 'voice')
    await bob.dialog().waitFor()
    expect(await Promise.all([faults(ada), faults(bob)])).to.deep.equal([[], []])
    // It was what rings that was judged.
    expect(await bob.dialog().isVisible()).to.equal(true)
    await bob.answer()
    await ada.button(/connection/).click()
    expect(await faults(ada)).to.deep.equal([])
    await ada.button('Hang up').click()
    await ada.page.getByRole('heading', { name: 'Call ended' }).waitFor()
    await ada.page.getByRole('tab', { name: 'History' }).click()
    await ada.text('1 call').waitFor()
    expect(await faults(ada)).to.deep.equal([])
  })

  it('fits a phone: nothing is cut off, and a call has the screen to itself', async () => {
    const context = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true }
    const expectToFit = async ({ page }: PageUser) =>
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).to.equal(360)
    const door = await PageUser.arrive(stage, { context })
    await expectToFit(door)
    const [ada, bob] = await Promise.all([PageUser.signedIn(stage, { context }), PageUser.signedIn(stage, { context })])
    await expectToFit(ada)
    await ada.call(bob, 'video')
    await bob.dialog().waitFor()
    await Promise.all([expectToFit(ada), expectToFit(bob)])
    await bob.answer()
    await Promise.all([ada.untilPhase('active'), bob.untilPhase('active')])
    await ada.hears({ video: true })

    expect(await ada.page.locator('.call').boundingBox()).to.deep.equal({ x: 0, y: 0, width: 360, height: 640 })
    expect(await ada.page.locator('.side').getAttribute('inert')).to.equal('')
    for (const button of await ada.page.locator('.controls button').all()) {
      const box = await button.boundingBox()
      expect((box?.y ?? 0) + (box?.height ?? 0)).to.be.at.most(640)
      expect(box?.x).to.be.at.least(0)
    }
    await ada.button('Hang up').click()
    await ada.button('Close').click()
    await ada.page.getByRole('tab', { name: 'History' }).click()
    await ada.text('1 call').waitFor()
    await expectToFit(ada)
  })
})

declare global {
  var axe: { run(options: { runOnly: string[] }): Promise<AxeResults> }
}
