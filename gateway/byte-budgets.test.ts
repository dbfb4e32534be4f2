import { expect } from 'chai'
import { ByteBudgets } from './byte-budgets.ts'

const budgets = () => new ByteBudgets({ floodBytesPerSecond: 1000, floodBurstBytes: 5000 })

describe('byte budgets', () => {
  it('admit a burst, then what comes in by the second', () => {
    const users = budgets()

    expect([1, 2, 3, 4, 5].map(() => users.admit('a', 1000, 0))).to.deep.equal(Array(5).fill(true))
    expect(users.admit('a', 1, 0)).to.equal(false)
    expect(users.admit('a', 500, 500)).to.equal(true)
    expect(users.admit('a', 1, 500)).to.equal(false)
  })

  it('take nothing for what they refuse', () => {
    const users = budgets()
    users.admit('a', 4000, 0)

    expect(users.admit('a', 2000, 0)).to.equal(false)
    expect(users.admit('a', 1000, 0)).to.equal(true)
  })

  it('are each user’s own', () => {
    const users = budgets()
    users.admit('a', 5000, 0)

    expect([users.admit('a', 1, 0), users.admit('b', 5000, 0)]).to.deep.equal([false, true])
  })

  it('forget users whose budget is full again, and no others', () => {
    const users = budgets()
    for (let number = 0; number < 1500; number++) users.admit(`early ${number}`, 100, 0)
    for (let number = 0; number < 1500; number++) users.admit(`late ${number}`, 5000, 60_000)

    expect(users.size).to.be.below(3000)
    expect(users.admit('late 0', 1, 60_000)).to.equal(false)
  })
})
