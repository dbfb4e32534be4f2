import { expect } from 'chai'
import { eventually } from '../test/support/eventually.ts'
import { MockClock } from './clock.ts'

describe('the clock of a mock', () => {
  let clock: MockClock
  beforeEach(() => {
    clock = new MockClock()
  })
  afterEach(() => clock.stop())

  it('runs by itself', async () => {
    let rang = false
    clock.after(5, () => {
      rang = true
    })

    await eventually(() => expect(rang).to.equal(true))
  })

  it('leaps: what becomes due on the way happens in its order, each at its own time', () => {
    const startedAt = clock.now()
    const rang: [string, number][] = []
    const at = (name: string) => () => void rang.push([name, Math.round((clock.now() - startedAt) / 1000)])
    clock.after(60_000, at('second'))
    clock.after(30_000, () => {
      at('first')()
      clock.after(10_000, at('between'))
    })
    clock.after(90_000, at('too late'))

    clock.advance(70_000)

    expect(rang).to.deep.equal([
      ['first', 30],
      ['between', 40],
      ['second', 60],
    ])
    expect(Math.round((clock.now() - startedAt) / 1000)).to.equal(70)
  })

  it('forgets what was taken back', () => {
    const rang: string[] = []
    const takeBack = clock.after(10, () => rang.push('taken back'))
    takeBack()
    clock.advance(1_000)

    expect(rang).to.deep.equal([])
  })
})
