/** A user in a browser, as a test drives one. */
import type { Page } from 'playwright-core'
import type { CallPhase } from '../../client/call-state.ts'
import { createUser, type TestUser } from '../support/api-client.ts'
import { eventually } from '../support/eventually.ts'
import type { MediaFigures, PhoneSettings, PhoneView } from './pages/phone.ts'
import { openPage } from './pages.ts'
import type { Stage } from './stage.ts'

export interface PhoneOptions extends Partial<Omit<PhoneSettings, 'url' | 'token'>> {
  /** By the second edge, so on another gateway than whom it calls. */
  elsewhere?: boolean
  /** Another tab of this one's user. */
  besides?: BrowserPhone
}

export class BrowserPhone {
  readonly user: TestUser
  readonly page: Page

  private constructor(user: TestUser, page: Page) {
    this.user = user
    this.page = page
  }

  /** Opens the page of a new user and waits until the user can be called. */
  static async online(
    { cluster, otherEdge, pages }: Stage,
    { elsewhere = false, besides, ...settings }: PhoneOptions = {},
  ): Promise<BrowserPhone> {
    const user = besides?.user ?? createUser(cluster.url, cluster.jwtSecret)
    const socketsVia = elsewhere ? otherEdge.url : cluster.url
    const page = await openPage({ url: `${pages.url}/phone`, socketsVia, besides: besides?.page })
    const publicUrl = cluster.env.PUBLIC_URL ?? `http://localhost:${new URL(cluster.url).port}`
    const options = { url: cluster.url, origins: [publicUrl], token: user.token, smallPicture: true, ...settings }
    await page.waitForFunction(() => globalThis.phone !== undefined)
    await page.evaluate((given) => globalThis.phone.start(given), options)
    return new BrowserPhone(user, page)
  }

  /** Calls, and returns the id of the call. */
  call(other: { user: TestUser }, { video = false } = {}): Promise<string> {
    return this.page.evaluate(([id, picture]) => globalThis.phone.dial(id, picture), [other.user.id, video] as const)
  }

  /** Waits until it rings, and returns the id of the call. */
  async rung(): Promise<string> {
    const { call } = await this.until(({ call: one }) => one?.direction === 'incoming', 'it rings')
    return call?.id ?? ''
  }

  answer(): Promise<void> {
    return this.page.evaluate(() => globalThis.phone.call.answer())
  }

  hangUp(): Promise<void> {
    return this.page.evaluate(() => globalThis.phone.call.hangUp())
  }

  view(): Promise<PhoneView> {
    return this.page.evaluate(() => globalThis.phone.view())
  }

  media(): Promise<MediaFigures> {
    return this.page.evaluate(() => globalThis.phone.media())
  }

  /** Waits until the page shows what is asked for. */
  until(holds: (view: PhoneView) => boolean, what: string, timeoutMs?: number): Promise<PhoneView> {
    return eventually(async () => {
      const view = await this.view()
      if (!holds(view)) throw new Error(`not yet: ${what}; it shows ${JSON.stringify(view)}`)
      return view
    }, timeoutMs)
  }

  untilPhase(phase: CallPhase, timeoutMs?: number): Promise<PhoneView> {
    return this.until(({ call }) => call?.state.phase === phase, phase, timeoutMs)
  }

  /** Waits until more of the other side's sound, and of its picture where there is one, has come out here than before. */
  async hears({ video = false } = {}): Promise<MediaFigures> {
    const before = await this.media()
    return eventually(async () => {
      const now = await this.media()
      const more = now.audioEnergy > before.audioEnergy && (!video || now.framesDecoded >= before.framesDecoded + 5)
      if (!more) throw new Error(`Nothing new: ${JSON.stringify(now)}`)
      return now
    }, 20_000)
  }
}
