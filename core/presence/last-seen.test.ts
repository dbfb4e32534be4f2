import { expect } from 'chai'
import { eventually } from '../../test/support/eventually.ts'
import { LastSeen } from './last-seen.ts'
import type { SeenUser } from './seen-users.ts'

describe('LastSeen', () => {
  let lastSeen: LastSeen
  let writes: SeenUser[][]
  let connected: string[]
  let failures: number
  beforeEach(() => {
    writes = []
    connected = []
    failures = 0
    lastSeen = new LastSeen({
      write: async (seen) => {
        if (failures-- > 0) throw new Error('the database is away')
        writes.push(seen)
      },
      connected: () => connected,
      log: { debug: () => {} },
    })
  })
  afterEach(() => lastSeen.stop())
  const usersOf = (write: SeenUser[] | undefined) => write?.map(({ userId }) => userId)

  it('writes events by itself, those of the same moment together and each user once', async () => {
    lastSeen.seen('a')
    lastSeen.seen('b')
    lastSeen.seen('a')

    await eventually(() => expect(writes.map(usersOf)).to.deep.equal([['b', 'a']]))
    for (const { ageMs } of writes[0] ?? []) expect(ageMs).to.be.at.least(0)
    lastSeen.seen('c')
    await eventually(() => expect(writes.map(usersOf)).to.deep.equal([['b', 'a'], ['c']]))
  })

  it('writes who is connected, and what waits, as it stops', async () => {
    lastSeen.seen('gone')
    connected = ['here']

    await lastSeen.stop()

    expect(usersOf(writes[0])).to.deep.equal(['gone', 'here'])
    connected = []
  })

  it('keeps what could not be written, with its time', async () => {
    failures = 1
    lastSeen.seen('a')
    await eventually(() => expect(failures).to.equal(0))
    lastSeen.seen('b')

    await lastSeen.stop()

    expect(usersOf(writes[0])).to.deep.equal(['a', 'b'])
    const [ageOfA = 0, ageOfB = 0] = writes[0]?.map(({ ageMs }) => ageMs) ?? []
    expect(ageOfA - ageOfB).to.be.at.least(400)
  })
})
