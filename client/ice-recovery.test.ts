import { mock } from 'node:test'
import { expect } from 'chai'
import { IceRecovery } from './ice-recovery.ts'

const GIVE_UP_AFTER_MS = 30_000

function recovery({ leads = true } = {}) {
  const told = { restarts: 0, givenUp: 0 }
  const one = new IceRecovery({
    leads,
    giveUpAfterMs: GIVE_UP_AFTER_MS,
    restart: () => {
      told.restarts += 1
    },
    giveUp: () => {
      told.givenUp += 1
    },
  })
  one.signaling(true)
  return { one, told }
}

describe('the recovery of a peer connection', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
  afterEach(() => mock.timers.reset())

  it('is begun by the caller at once, by the callee where the caller does nothing', () => {
    const [caller, callee] = [recovery(), recovery({ leads: false })]
    for (const { one } of [caller, callee]) one.changed('failed')

    mock.timers.tick(0)
    expect([caller.told.restarts, callee.told.restarts]).to.deep.equal([1, 0])
    mock.timers.tick(2_000)
    expect(callee.told.restarts).to.equal(1)
  })

  it('is begun where the first way is not found in 8 s, again after each attempt, until it is', () => {
    const [caller, callee] = [recovery(), recovery({ leads: false })]
    for (const { one } of [caller, callee]) {
      one.changed('connecting')
      one.agreed()
    }

    mock.timers.tick(7_999)
    expect(caller.told.restarts).to.equal(0)
    mock.timers.tick(1)
    expect(caller.told.restarts).to.equal(1)
    caller.one.agreed()
    callee.one.offered()
    callee.one.agreed()
    mock.timers.tick(7_999)
    caller.one.changed('connected')
    callee.one.changed('connected')
    mock.timers.tick(GIVE_UP_AFTER_MS)

    expect([caller.told, callee.told]).to.deep.equal([
      { restarts: 1, givenUp: 0 },
      { restarts: 0, givenUp: 0 },
    ])
  })

  it('is left to the other side where that has offered', () => {
    const { one, told } = recovery({ leads: false })
    one.changed('failed')
    one.offered()

    mock.timers.tick(4_999)
    expect(told.restarts).to.equal(0)
  })

  it('waits a while where the connection may heal by itself', () => {
    const { one, told } = recovery()
    one.changed('disconnected')
    mock.timers.tick(3_999)
    one.changed('connected')

    mock.timers.tick(GIVE_UP_AFTER_MS)

    expect(told).to.deep.equal({ restarts: 0, givenUp: 0 })
  })

  it('is tried again every 5 s, and given up after 30 s in all', () => {
    const { one, told } = recovery()
    one.agreed()
    one.changed('connected')
    one.changed('failed')
    for (let second = 1; second < 30; second += 1) {
      // The stack tries, and fails again.
      one.changed(second % 2 === 0 ? 'failed' : 'connecting')
      mock.timers.tick(1_000)
    }
    expect(told.givenUp).to.equal(0)
    expect(told.restarts).to.be.above(5)

    mock.timers.tick(1_000)

    expect(told.givenUp).to.equal(1)
  })

  it('is given up also where the stack looks for a way for ever', () => {
    const { one, told } = recovery()
    one.changed('connecting')
    mock.timers.tick(10 * GIVE_UP_AFTER_MS)
    // It rings for as long as the service lets it.
    expect(told.givenUp).to.equal(0)

    one.agreed()
    mock.timers.tick(GIVE_UP_AFTER_MS - 1)
    expect(told.givenUp).to.equal(0)
    mock.timers.tick(1)
    expect(told.givenUp).to.equal(1)
  })

  it('does not count the time without signaling', () => {
    const { one, told } = recovery()
    one.agreed()
    one.changed('failed')
    mock.timers.tick(20_000)
    one.signaling(false)
    mock.timers.tick(10 * GIVE_UP_AFTER_MS)
    one.signaling(true)
    mock.timers.tick(GIVE_UP_AFTER_MS - 1)
    expect(told.givenUp).to.equal(0)

    mock.timers.tick(1)

    expect(told.givenUp).to.equal(1)
  })

  it('is given up where the stack has closed by itself', () => {
    const { one, told } = recovery()
    one.agreed()
    one.changed('closed')

    mock.timers.tick(GIVE_UP_AFTER_MS)

    expect(told).to.deep.equal({ restarts: 0, givenUp: 1 })
  })

  it('does nothing any more once the connection is closed', () => {
    const { one, told } = recovery()
    one.agreed()
    one.changed('failed')
    one.close()
    one.networkChanged()

    mock.timers.tick(10 * GIVE_UP_AFTER_MS)

    expect(told).to.deep.equal({ restarts: 0, givenUp: 0 })
  })
})
