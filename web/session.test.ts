import { expect } from 'chai'
import { forgetSession, isFresh, loadSession, saveSession, sessionOf } from './session.ts'

const SESSION = sessionOf({
  user_id: '6f9619ff-8b86-4d01-b42d-00cf4fc964ff',
  name: 'Ada',
  token: 'a.b.c',
  expires_at: '2024-01-02T12:00:00.000Z',
  signaling_origin: 'https://calls.example.com',
})

function memory() {
  const kept = new Map<string, string>()
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, text: string) => void kept.set(key, text),
    removeItem: (key: string) => void kept.delete(key),
  }
}

describe('a session of the page', () => {
  const before = SESSION.expiresAt - 3_600_000

  it('is there again after a reload, until it is forgotten', () => {
    const storage = memory()
    saveSession(storage, SESSION)

    expect(loadSession(storage, before)).to.deep.equal(SESSION)
    forgetSession(storage)
    expect(loadSession(storage, before)).to.equal(undefined)
  })

  it('is not taken up again shortly before its token ends', () => {
    const storage = memory()
    saveSession(storage, SESSION)

    expect(loadSession(storage, SESSION.expiresAt - 60_000)).to.equal(undefined)
    expect(isFresh(SESSION, SESSION.expiresAt - 301_000)).to.equal(true)
    expect(isFresh(SESSION, SESSION.expiresAt - 299_000)).to.equal(false)
  })

  it('is none where what was kept is rubbish', () => {
    expect(loadSession({ getItem: () => '{' }, before)).to.equal(undefined)
    expect(loadSession({ getItem: () => null }, before)).to.equal(undefined)
  })
})
