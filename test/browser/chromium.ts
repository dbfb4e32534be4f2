/**
 * The one browser of a test run: Chromium of this machine, with a camera and a microphone that it makes up. Users are
 * contexts of it, which share nothing. Started by whoever needs it first, closed after the last test.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { findChromium } from '../../dev/test/capabilities.ts'
import { atTheEnd } from '../support/at-the-end.ts'
import { writeCameraFilm } from './fake-camera.ts'

const ADVICE =
  'Chromium is missing: install it (Debian: apt-get install chromium-headless-shell; macOS: a chromium on PATH)'

const FLAGS = [
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  // A machine may have no network but loopback, and peers that are no browsers know no mDNS.
  '--allow-loopback-in-peer-connection',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--disable-gpu',
  '--disable-quic',
  // As root Chromium has no sandbox to offer; the pages are ours.
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
]

let launched: Promise<Browser> | undefined

/** For a `before` hook: skips the tests where there is no browser, and says what to install. In CI a skip is a failure. */
export function requireBrowser(context: Mocha.Context): void {
  if (findChromium() !== undefined) return
  console.log(`      ${ADVICE}`)
  context.skip()
}

/** @throws with the advice what to install */
export function sharedBrowser(): Promise<Browser> {
  launched ??= launch()
  return launched
}

async function launch(): Promise<Browser> {
  const executablePath = findChromium()
  if (executablePath === undefined) throw new Error(ADVICE)
  // Takes a while to load, and most runs of single files need none of it.
  const { chromium } = await import('playwright-core')
  const folder = mkdtempSync(join(tmpdir(), 'tchat-calling-camera-'))
  const film = join(folder, 'camera.y4m')
  writeCameraFilm(film)
  atTheEnd(async () => rmSync(folder, { recursive: true }))
  const args = [...FLAGS, `--use-file-for-fake-video-capture=${film}`]
  const browser = await chromium.launch({ executablePath, args })
  atTheEnd(() => close(browser))
  return browser
}

/** @throws where a test has left a page open */
async function close(browser: Browser): Promise<void> {
  const left = browser.contexts().flatMap((context) => context.pages().map((page) => page.url()))
  await browser.close()
  if (left.length > 0) throw new Error(`Pages were left open: ${left.join(', ')}`)
}
