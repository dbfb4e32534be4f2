import { expect } from 'chai'
import { OutgoingQueue } from './outgoing-queue.ts'

describe('the queue of what is not acknowledged', () => {
  it('keeps messages in order, with their ids, until each is acknowledged', () => {
    const queue = new OutgoingQueue<{ text: string }>('tab')
    const ids = ['a', 'b', 'c'].map((text) => queue.add({ text }).id)

    expect(ids).to.deep.equal(['tab-1', 'tab-2', 'tab-3'])
    expect(queue.settle('tab-2')).to.deep.equal({ text: 'b', id: 'tab-2' })
    expect(queue.unacked).to.deep.equal([
      { text: 'a', id: 'tab-1' },
      { text: 'c', id: 'tab-3' },
    ])
    expect(queue.has('tab-2')).to.equal(false)
  })

  it('takes an acknowledgement of something else for nothing', () => {
    const queue = new OutgoingQueue<{ text: string }>('tab')
    queue.add({ text: 'a' })

    for (const id of [undefined, 1, 'other-1']) expect(queue.settle(id)).to.equal(undefined)
    expect(queue.unacked).to.have.length(1)
  })

  it('never repeats an id of an earlier session of the same device', () => {
    const ids = [new OutgoingQueue<object>(), new OutgoingQueue<object>()].map((queue) => queue.add({}).id)

    expect(ids[0]).to.not.equal(ids[1])
  })
})
