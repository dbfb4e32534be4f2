/** Somebody at the page of the demo, as a test drives one: by what is to be read and pressed there. */
import { randomUUID } from 'node:crypto'
import type { BrowserContextOptions, Locator, Page } from 'playwright-core'
import type { HistoryResponse } from '../../core/protocol/http.ts'
import { ApiClient } from '../support/api-client.ts'
import { eventually } from '../support/eventually.ts'
import { patient } from '../support/patience.ts'
import { openPage } from './pages.ts'
import type { Stage } from './stage.ts'

export interface Received {
  framesDecoded: number
  audioEnergy: number
  audioPackets: number
}

export interface ArriveOptions {
  name?: string
  /** Another tab of this one's browser. */
  besides?: PageUser
  context?: BrowserContextOptions
  /** What `getUserMedia` throws for a camera, or for anything. */
  noCamera?: boolean
  refused?: boolean
}

export class PageUser {
  readonly name: string
  readonly page: Page
  readonly #stage: Stage

  private constructor(stage: Stage, name: string, page: Page) {
    this.#stage = stage
    this.name = name
    this.page = page
  }

  /** Opens the page; nobody is signed in yet. */
  static async arrive(stage: Stage, options: ArriveOptions = {}): Promise<PageUser> {
    const { name = `Ada ${randomUUID().slice(0, 8)}`, besides, context, noCamera = false, refused = false } = options
    const page = await openPage({ url: 'about:blank', context, besides: besides?.page })
    await page.addInitScript(keepConnections)
    await page.addInitScript(limitMedia, { noCamera, refused })
    await page.goto(stage.cluster.url)
    return new PageUser(stage, name, page)
  }

  /** Opens the page, signs in, and waits until the user can be called. */
  static async signedIn(stage: Stage, options: ArriveOptions = {}): Promise<PageUser> {
    const user = await PageUser.arrive(stage, options)
    await user.page.getByLabel('Your name').fill(user.name)
    await user.button('Sign in').click()
    await user.page.getByRole('switch', { name: 'Available for calls' }).and(user.page.locator(':enabled')).waitFor()
    return user
  }

  button(name: string | RegExp): Locator {
    return this.page.getByRole('button', { name })
  }

  switch(name: string): Locator {
    return this.page.getByRole('switch', { name })
  }

  /** The other's line in the list of people. */
  row({ name }: PageUser): Locator {
    return this.page.locator(`[data-user="${name}"]`)
  }

  dialog(): Locator {
    return this.page.getByRole('alertdialog')
  }

  /** Calls, once the other one is seen to be available. */
  async call(other: PageUser, kind: 'voice' | 'video'): Promise<void> {
    await this.row(other).getByText('Available').waitFor()
    await this.button(`Call ${other.name} by ${kind}`).click()
  }

  async untilPhase(phase: string): Promise<void> {
    await this.page.locator(`[data-phase="${phase}"]`).waitFor({ timeout: patient(20_000) })
  }

  async answer(): Promise<void> {
    await this.dialog().getByRole('button', { name: 'Answer' }).click()
  }

  text(text: string | RegExp): Locator {
    return this.page.getByText(text).and(this.page.locator(':visible')).first()
  }

  /** What has come in from the other side so far. */
  received(): Promise<Received> {
    return this.page.evaluate(async () => {
      const totals = { framesDecoded: 0, audioEnergy: 0, audioPackets: 0 }
      const report = await globalThis.connections.at(-1)?.getStats()
      for (const stat of report?.values() ?? []) {
        if (stat.type !== 'inbound-rtp') continue
        totals.framesDecoded += stat.framesDecoded ?? 0
        totals.audioEnergy += stat.totalAudioEnergy ?? 0
        if (stat.kind === 'audio') totals.audioPackets += stat.packetsReceived
      }
      return totals
    })
  }

  /** Waits until more sound, and more of a picture where one is asked for, has come in. */
  async hears({ video = false } = {}): Promise<void> {
    const before = await this.received()
    await eventually(async () => {
      const now = await this.received()
      const more = now.audioEnergy > before.audioEnergy && (!video || now.framesDecoded >= before.framesDecoded + 5)
      if (!more) throw new Error(`Nothing new: ${JSON.stringify({ before, now })}`)
    }, 20_000)
  }

  /** The sound that comes in with the next 25 packets, half a second of them: none of it where the other side is mute. */
  async hearsNothing(): Promise<void> {
    await eventually(async () => {
      const before = await this.received()
      const after = await eventually(async () => {
        const now = await this.received()
        if (now.audioPackets < before.audioPackets + 25) throw new Error('No packets')
        return now
      })
      const energy = after.audioEnergy - before.audioEnergy
      if (energy > 1e-7) throw new Error(`There is sound: ${energy}`)
    }, 20_000)
  }

  /** How bright the middle of the other side's picture is, from 0 to 255. */
  brightness(): Promise<number> {
    return this.page.evaluate(() => {
      const video = document.querySelector<HTMLVideoElement>('.call > video')
      const canvas = document.createElement('canvas')
      canvas.width = canvas.height = 8
      const context = canvas.getContext('2d')
      if (video === null || context === null) return -1
      context.drawImage(video, 0, 0, 8, 8)
      return Math.max(...context.getImageData(0, 0, 8, 8).data.filter((_, index) => index % 4 !== 3))
    })
  }

  /** What the page keeps of who is signed in. */
  async session(): Promise<{ userId: string; token: string }> {
    const session = await this.page.evaluate(() => sessionStorage.getItem('tchat-calling-session'))
    return JSON.parse(session ?? '{}') as { userId: string; token: string }
  }

  /** The user's history by the API, as the page has the right to ask. */
  async history(): Promise<HistoryResponse['calls']> {
    const { userId, token } = await this.session()
    return (await new ApiClient(this.#stage.cluster.url, token).history(userId)).body.calls
  }
}

declare global {
  var connections: RTCPeerConnection[]
}

/** Runs in the page, before anything of it: its peer connections can be asked how they are. */
function keepConnections(): void {
  globalThis.connections = []
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration)
      globalThis.connections.push(this)
    }
  }
}

/** Runs in the page, before anything of it: a machine without a camera, or a user who says no. */
function limitMedia({ noCamera, refused }: { noCamera: boolean; refused: boolean }): void {
  const { mediaDevices } = navigator
  if (mediaDevices === undefined) return
  const getUserMedia = mediaDevices.getUserMedia.bind(mediaDevices)
  mediaDevices.getUserMedia = async (constraints) => {
    if (refused) throw new DOMException('Permission denied', 'NotAllowedError')
    if (noCamera && constraints?.video) throw new DOMException('Requested device not found', 'NotFoundError')
    return getUserMedia(constraints)
  }
}
