import { expect } from 'chai'
import { AppError } from '../protocol/errors.ts'
import type { Visibility } from '../protocol/http.ts'
import { isVisibleTo, PresenceService } from './presence-service.ts'
import type { StoredPresence } from './presence-store.ts'

const SEEN_AT = new Date('2024-01-01T12:00:00Z')
const STORED: StoredPresence = {
  setOffline: false,
  onlineByPut: false,
  visibility: 'everyone',
  lastSeenAt: SEEN_AT,
  seenLately: false,
  seenJustNow: false,
}

type Connected = boolean | 'unknown'

describe('PresenceService', () => {
  function service(stored: Partial<StoredPresence> | undefined, connected: Connected) {
    let now = stored === undefined ? undefined : { ...STORED, ...stored }
    return new PresenceService({
      store: {
        findMany: async (userIds) => new Map(userIds.flatMap((userId) => (now === undefined ? [] : [[userId, now]]))),
        markSeen: async () => {
          now = { ...(now ?? STORED), lastSeenAt: new Date(), seenJustNow: true }
        },
        write: async ({ visibility = 'everyone' }) => ({ visibility, updatedAt: SEEN_AT }),
      },
      connections: {
        isConnected: async () => {
          if (connected === 'unknown') throw new Error('redis is away')
          return connected
        },
      },
      onlineAfterPutMs: 1000,
      log: { debug: () => {} },
    })
  }

  const cases: [string, Partial<StoredPresence> | undefined, Connected, 'online' | 'offline'][] = [
    ['never seen', undefined, false, 'offline'],
    ['never seen, connected', undefined, true, 'online'],
    ['seen long ago', {}, false, 'offline'],
    ['connected', {}, true, 'online'],
    ['online by PUT', { onlineByPut: true }, false, 'online'],
    ['seen lately, but not connected', { seenLately: true }, false, 'offline'],
    ['set offline, connected', { setOffline: true }, true, 'offline'],
    ['set offline, seen lately', { setOffline: true, seenLately: true }, 'unknown', 'offline'],
    ['nobody knows who is connected, never seen', undefined, 'unknown', 'offline'],
    ['nobody knows who is connected, seen lately', { seenLately: true }, 'unknown', 'online'],
    ['nobody knows who is connected, seen long ago', {}, 'unknown', 'offline'],
    ['nobody knows who is connected, online by PUT', { onlineByPut: true }, 'unknown', 'online'],
  ]
  for (const [what, stored, connected, status] of cases) {
    it(`${what}: ${status}`, async () => {
      expect((await service(stored, connected).find('u')).status).to.equal(status)
    })
  }

  it('sees a connected user now, others when they were seen, and does not give a hidden one away', async () => {
    const seenAt = async (stored: Partial<StoredPresence> | undefined, connected: Connected) =>
      (await service(stored, connected).find('u')).lastSeenAt

    expect(Date.now() - ((await seenAt({}, true))?.getTime() ?? 0)).to.be.below(1000)
    expect(Date.now() - ((await seenAt(undefined, true))?.getTime() ?? 0)).to.be.below(1000)
    expect(await seenAt({ seenJustNow: true }, true)).to.equal(SEEN_AT)
    expect(await seenAt({}, false)).to.equal(SEEN_AT)
    expect(await seenAt({ setOffline: true }, true)).to.equal(SEEN_AT)
    expect(await seenAt(undefined, false)).to.equal(null)
  })

  it('does not overlook what is stored while the database is away', async () => {
    const away = new AppError('SERVICE_UNAVAILABLE')
    const broken = new PresenceService({
      store: {
        findMany: () => Promise.reject(away),
        markSeen: () => Promise.reject(away),
        write: () => Promise.reject(away),
      },
      connections: { isConnected: async () => true },
      onlineAfterPutMs: 1000,
      log: { debug: () => {} },
    })
    const codeOf = (work: Promise<unknown>) => work.catch((error: AppError) => error.code)

    expect(await codeOf(broken.find('u'))).to.equal('SERVICE_UNAVAILABLE')
    expect(await codeOf(broken.update('u', 'online'))).to.equal('PRESENCE_UPDATE_FAILED')
  })
})

describe('isVisibleTo', () => {
  const visible = (visibility: Visibility, contact: boolean | undefined) =>
    isVisibleTo({ userId: 'u', status: 'online', visibility, lastSeenAt: null }, async () => {
      if (contact === undefined) throw new Error('nobody should ask')
      return contact
    })

  it('asks for contacts only where it matters', async () => {
    expect(await visible('everyone', undefined)).to.equal(true)
    expect(await visible('nobody', undefined)).to.equal(false)
    expect(await visible('contacts', true)).to.equal(true)
    expect(await visible('contacts', false)).to.equal(false)
  })
})
