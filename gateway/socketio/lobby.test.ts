import { expect } from 'chai'
import type { EngineSession } from './engine-session.ts'
import { Lobby } from './lobby.ts'

describe('Lobby', () => {
  it('ends the oldest session where more than 1000 have not asked for the namespace', () => {
    const cut: number[] = []
    const lobby = new Lobby()
    const sessions = Array.from({ length: 1002 }, (_, index) => {
      return { cut: () => cut.push(index) } as unknown as EngineSession
    })
    for (const session of sessions.slice(0, 1000)) lobby.enter(session)
    expect(cut).to.deep.equal([])

    lobby.leave(sessions[0] as EngineSession)
    for (const session of sessions.slice(1000)) lobby.enter(session)

    expect(cut).to.deep.equal([1])
  })
})
