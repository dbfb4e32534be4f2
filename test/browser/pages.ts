/** Pages of users in the shared browser: each has a context of its own, so that users share nothing. */
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { patient } from '../support/patience.ts'
import { sharedBrowser } from './chromium.ts'

/** For what a page is to show or to let be pressed, on a calm machine. */
const WAIT_MS = 20_000

/**
 * How a page is shown unless a test asks for something else. Without a graphics card each frame is drawn by the
 * processor: the less there is to draw and to move, the more of it is left for the call.
 */
const FRUGAL: BrowserContextOptions = { viewport: { width: 900, height: 600 }, reducedMotion: 'reduce' }

export interface OpenOptions {
  /** The page's address. */
  url: string
  /** Origin to which its sockets go instead of the one that it names: an edge, or one gateway. */
  socketsVia?: string
  /** Size of the window, dark or light, and whatever else a browser can be set to. */
  context?: BrowserContextOptions
  /** Another tab of this page's user: same context, same storage. */
  besides?: Page
}

/** What was thrown in a page and caught by nobody. */
const uncaught: string[] = []
const contexts = new Set<BrowserContext>()

/** Opens a page that may use camera and microphone; it is loaded when this returns. */
export async function openPage({ url, socketsVia, context: settings, besides }: OpenOptions): Promise<Page> {
  const context = besides?.context() ?? (await makeContext(settings))
  const page = await context.newPage()
  page.on('pageerror', (error) => uncaught.push(`${page.url()}: ${error.stack ?? error.message}`))
  if (socketsVia !== undefined) await page.addInitScript(routeSockets, new URL(socketsVia).host)
  await page.goto(url)
  return page
}

/** For `afterEach`. @throws where a page has thrown something that nobody caught */
export async function closePages(): Promise<void> {
  const closing = [...contexts].map((context) => context.close())
  contexts.clear()
  await Promise.all(closing)
  const errors = uncaught.splice(0)
  if (errors.length > 0) throw new Error(`Uncaught in a page: ${errors.join('\n')}`)
}

async function makeContext(settings: BrowserContextOptions | undefined): Promise<BrowserContext> {
  const browser = await sharedBrowser()
  const context = await browser.newContext({ permissions: ['camera', 'microphone'], ...FRUGAL, ...settings })
  context.setDefaultTimeout(patient(WAIT_MS))
  contexts.add(context)
  return context
}

/** Runs in the page, before anything of it. */
function routeSockets(host: string): void {
  const Native = globalThis.WebSocket
  globalThis.WebSocket = class extends Native {
    constructor(url: string | URL, protocols?: string | string[]) {
      const target = new URL(url, location.href)
      target.host = host
      super(target, protocols)
    }
  }
}
