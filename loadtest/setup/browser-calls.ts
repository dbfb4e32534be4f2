// The same between two pages of Chromium: what a person waits for.

import { BrowserPhone } from '../../test/browser/browser-phone.ts'
import { sharedBrowser } from '../../test/browser/chromium.ts'
import { closePages } from '../../test/browser/pages.ts'
import type { Stage } from '../../test/browser/stage.ts'

/** Milliseconds from the press of the button until the caller's media is connected, in a video call. */
export async function timeBrowserCall(stage: Stage): Promise<number> {
  await sharedBrowser()
  const alice = await BrowserPhone.online(stage)
  const bob = await BrowserPhone.online(stage, { elsewhere: true, answersAtOnce: true })
  try {
    const ms = await alice.page.evaluate((id) => globalThis.phone.timeSetup(id), bob.user.id)
    await alice.hangUp()
    await bob.untilPhase('ended')
    return ms
  } finally {
    await closePages()
  }
}
