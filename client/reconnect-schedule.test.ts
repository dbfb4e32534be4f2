import { expect } from 'chai'
import { ReconnectSchedule } from './reconnect-schedule.ts'

const LOST = { code: 1006, opened: true }
const REFUSED = { code: 1006, opened: false }

/** Always the longest wait that may be. */
const longest = () => new ReconnectSchedule(() => 1)

describe('the schedule of reconnects', () => {
  it('waits up to 300 ms after a loss, then up to twice as much each time, 10 s at most', () => {
    const schedule = longest()

    expect(Array.from({ length: 8 }, () => schedule.lost(LOST))).to.deep.equal([
      300, 600, 1200, 2400, 4800, 9600, 10_000, 10_000,
    ])
  })

  it('spreads the waits over their whole range', () => {
    const chances = [0, 0.25, 0.999]
    const waits = chances.map((chance) => new ReconnectSchedule(() => chance).lost(LOST))

    expect(waits).to.deep.equal([0, 75, 299.7])
  })

  it('goes at once after 1012, but not again and again', () => {
    const schedule = longest()

    expect([schedule.lost({ code: 1012, opened: true }), schedule.lost({ code: 1012, opened: true })]).to.deep.equal([
      0, 600,
    ])
  })

  it('slows down after a flood', () => {
    expect(longest().lost({ code: 1008, opened: true })).to.equal(2400)
  })

  it('starts anew once the room is joined, not when a connection opens', () => {
    const schedule = longest()
    schedule.lost(LOST)
    expect(schedule.lost(LOST)).to.equal(600)

    schedule.settled()

    expect(schedule.lost(LOST)).to.equal(300)
  })

  it('gives a handshake 4 s, twice as long after each failure, 16 s at most', () => {
    const schedule = longest()
    const limits = Array.from({ length: 4 }, () => {
      const { handshakeMs } = schedule
      schedule.lost(REFUSED)
      return handshakeMs
    })

    expect(limits).to.deep.equal([4_000, 8_000, 16_000, 16_000])
  })

  it('has the reason asked for before the third handshake of those that never opened', () => {
    const schedule = longest()
    const asks = [REFUSED, LOST, REFUSED, REFUSED, LOST].map((loss) => {
      schedule.lost(loss)
      return schedule.shouldAsk
    })

    expect(asks).to.deep.equal([false, false, false, true, false])
  })
})
