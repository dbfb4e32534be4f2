import { expect } from 'chai'
import { pino } from 'pino'
import { type Occupancy, SIDE_JOINED } from '../core/protocol/occupancy.ts'
import { eventually } from '../test/support/eventually.ts'
import { RoomRecord } from './room-record.ts'

/** `a3+`, or `a3+1` where somebody is known to have joined. */
const wordOf = ({ callId, isOccupied, version, joined }: Occupancy): string =>
  `${callId}${version}${isOccupied ? '+' : '-'}${joined || ''}`

describe('the record of rooms', () => {
  let told: string[]
  let isAway: boolean
  let whileTold: () => void
  let record: RoomRecord

  beforeEach(() => {
    told = []
    isAway = false
    whileTold = () => {}
    const noteOccupancy = async (facts: Occupancy[]) => {
      whileTold()
      if (isAway) throw new Error('postgres is away')
      told.push(facts.map(wordOf).join(' '))
    }
    record = new RoomRecord({ noteOccupancy }, pino({ level: 'silent' }))
  })

  const note = (callId: string, version: number, joined = 0) =>
    record.note({ callId, isOccupied: version % 2 === 1, version, joined })

  it('tells of all calls together, of each what is newest', async () => {
    note('a', 1)
    note('b', 1)
    note('a', 3)
    note('a', 2)
    note('c', 2)
    await record.close()

    expect(told).to.deep.equal(['a3+ b1+ c2-'])
  })

  it('tells of all who have joined, also where the room was not empty before', async () => {
    note('a', 1, SIDE_JOINED.a)
    note('a', 1, SIDE_JOINED.b)
    note('b', 3, SIDE_JOINED.a)
    note('b', 2, SIDE_JOINED.b)
    await record.close()

    expect(told).to.deep.equal(['a1+3 b3+3'])
  })

  it('tells of what changed while it told', async () => {
    note('a', 1)
    whileTold = () => {
      whileTold = () => {}
      note('a', 2)
    }
    await record.close()

    expect(told).to.deep.equal(['a1+', 'a2-'])
  })

  it('tells of what changed in the moment in which it had told all', async () => {
    for (let steps = 0; steps < 20; steps++) {
      const [first, second] = [`first${steps}`, `second${steps}`]
      whileTold = async () => {
        whileTold = () => {}
        for (let step = 0; step < steps; step++) await undefined
        note(second, 1)
      }
      note(first, 1)
      await eventually(() => expect(told.join(' '), `after ${steps} steps`).to.include(second))
    }
    await record.close()
  })

  it('keeps what it could not tell', async () => {
    isAway = true
    const attempt = new Promise<void>((resolve) => {
      whileTold = resolve
    })
    note('a', 1)
    await attempt
    // Until the record has seen that it failed.
    await new Promise(setImmediate)
    isAway = false
    note('b', 2)
    await record.close()

    expect(told).to.deep.equal(['a1+ b2-'])
  })
})
