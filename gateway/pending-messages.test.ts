import { expect } from 'chai'
import { PendingMessages } from './pending-messages.ts'

const message = (length: number) => ({ value: {}, text: () => 'x'.repeat(length) })
const fill = (pending: PendingMessages, length: number) => {
  let taken = 0
  while (pending.add(message(length))) taken += 1
  return taken
}

describe('pending messages', () => {
  it('have room for a whole burst of candidates', () => {
    expect(fill(new PendingMessages(400), 400)).to.be.within(400, 1_000)
    expect(fill(new PendingMessages(1_500), 1_000)).to.be.within(1_500, 2_000)
  })

  it('are bounded in bytes', () => {
    expect(fill(new PendingMessages(400), 64 * 1024)).to.equal(15)
    expect(fill(new PendingMessages(1_000_000), 63 * 1024)).to.equal(62)
  })

  it('cost something even if they are empty', () => {
    expect(fill(new PendingMessages(400), 0)).to.equal(1024)
  })
})
